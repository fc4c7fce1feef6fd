"""The truth set of sync: generated pairs of recordings of which every figure is known."""
