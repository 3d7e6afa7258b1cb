"""Work on many files: finding them, doing the work in some processes, and its outcome."""
