"""What each family of checkpoints looks like on disk: allowed parts, checks, facts, defaults, memory. No torch."""
