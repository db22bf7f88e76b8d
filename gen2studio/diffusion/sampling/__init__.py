"""Driving a diffusers pipeline: denoising, guidance between frames, long clips, previews, decoding."""
