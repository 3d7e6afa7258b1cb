"""Pictures in and out: files, formats, rows, metadata, alpha, metrics."""
