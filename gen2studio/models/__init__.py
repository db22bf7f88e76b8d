"""Model files on disk: which checkpoints and adapters are here, what they are, and whether they may be loaded."""
