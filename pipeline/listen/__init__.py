"""Listening to two files: what they hold, as the alignment engine takes it, and what it says."""
