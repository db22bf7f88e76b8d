"""The window in which storyboard panels are drawn, and its parts."""
