"""The one model of an edit, whoever made it: tracks of clips on a canvas, and words about it."""
