"""PyAV media: probe, exact index, decoding, frame server, thumbnails, peaks, encoding. No Qt, no torch."""
