"""Cut detection between neighbouring frames: see :mod:`gen2studio.raster.cuts`."""

from gen2studio.raster.cuts import Picture, difference, is_cut, signature

__all__ = ["Picture", "difference", "is_cut", "signature"]
