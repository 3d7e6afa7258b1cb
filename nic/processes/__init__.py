"""Worker processes, and signals that wait for the end of a block."""
