"""Many files: which they are, where the work is done, what became of it."""
