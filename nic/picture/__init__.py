"""Picture files in and out: formats, rows, metadata, alpha, limits of memory."""
