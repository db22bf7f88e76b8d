"""The source viewer: one file of the pool beside the programme."""
