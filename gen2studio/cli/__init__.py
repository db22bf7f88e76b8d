"""Command-line verbs: the same cores as the window, without widgets."""
