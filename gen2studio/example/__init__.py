"""Weight-free example-based synthesis: guided PatchMatch looks, painted key frames, region edits."""
