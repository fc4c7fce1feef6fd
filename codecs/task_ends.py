"""What a worker says after the last result of a task: a line that no result is."""

KEEP = ".keep"
"""It takes another task."""
END = ".end"
"""It has come to hold too much memory, and takes none."""
