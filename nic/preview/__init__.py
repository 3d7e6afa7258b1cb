"""Pictures from a part of a file: thumbnails without a network, and what has arrived so far."""
