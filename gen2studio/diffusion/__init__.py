"""The diffusion core. torch lives in here, and is loaded on the engine thread when a model is first needed."""
