"""Jobs for render farms: a bundle that any worker can render, and its results on the way back. No document, no Qt."""
