"""Pixels in numpy and OpenCV: mask tiles, brushes, shapes, compositing, compare, flow, drift measures. No Qt, no torch."""
