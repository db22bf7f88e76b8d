"""Widgets only: bind to app, read documents, draw."""
