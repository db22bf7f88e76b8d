"""The viewer: picture, mattes, comparison, and the gestures made on it."""
