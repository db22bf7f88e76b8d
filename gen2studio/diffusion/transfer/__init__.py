"""Diffuse small, apply large: a model's small result becomes a colour transform of the full-size footage.

A transform that is affine in colour and varies smoothly over the picture is fitted from (small source, small result)
and applied to the full-size source, which keeps all its detail. Two fits, one interface:

- ``affine.AffineTransfer``: a model per window (fast guided filter): the default, the closest to known grades and the
  quickest (0.1 s a frame of 512×512);
- ``bilateral_grid.GridTransfer``: affine models in a grid over x, y and luminance: tells a bright sky from dark leaves
  in front of it where a window holds both.

``apply.apply_large(small_source, small_result, full_source, *, method="affine", objects=None) -> Picture`` does one
frame; ``apply.TransferTrack(sources, results, at, method="affine")`` holds the fits of a few diffused frames (numbers
``at``) and ``track.apply(frame, full_source, strength=1.0) -> Picture`` serves any frame by interpolated coefficients.

What it can carry: light, colour, palette, weather tint, day and night, black and white. What it can't: outlines,
textures, new shapes - they come out as a glow or a ghost; new objects can be pasted with ``objects`` (a small matte),
and drawn looks belong to the example-based generator. Everything is clamped to what the small result holds nearby.
"""
