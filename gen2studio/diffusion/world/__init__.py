"""A small procedural world with captions, exact depth, mask and optical flow: the mini model's whole experience."""
