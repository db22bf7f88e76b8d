"""The docked panels around viewer and timeline."""
