"""Devices, memory and loading of the diffusion core."""
