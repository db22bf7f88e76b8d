"""Windows that ask for something: export, relink, preferences, recovery, shortcuts."""
