"""Pixels in numpy and OpenCV: mask tiles, brushes, shapes, compositing, flow, measures. No Qt, no torch."""
