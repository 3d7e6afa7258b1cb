"""Code that all programs share: start and failure, files, options."""
