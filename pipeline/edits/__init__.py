"""Edits from words: a sentence becomes edits, edits change a timeline."""
