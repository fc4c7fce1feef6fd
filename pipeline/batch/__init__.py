"""Many merges: which files belong together, where they are made, what became of each."""
