"""What all programs share: start and failure, files, options."""
