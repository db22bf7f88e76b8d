"""Selecting subjects and carrying mattes through clips."""
