"""Values every layer shares: exact time, geometry, ids, errors, cancellation, hashing, paths, logging."""
