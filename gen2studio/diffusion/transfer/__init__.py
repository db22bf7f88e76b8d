"""Diffuse small, apply large: a model's small result becomes a colour transform of the full-size footage.

``affine.AffineTransfer`` and ``bilateral_grid.GridTransfer`` fit a transform from (small source, small result);
``apply.apply_large(small_source, small_result, full_source) -> Picture`` does one frame and
``apply.TransferTrack(sources, results, at)`` holds the fits of a few diffused frames and applies to any frame in
between with ``track.apply(frame, full_source)``. No torch.
"""
