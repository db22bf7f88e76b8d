"""Selecting subjects and carrying mattes through clips, without any weights."""
