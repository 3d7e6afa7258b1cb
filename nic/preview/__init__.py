"""Pictures from a part of a file: thumbnails, without a synthesis transform."""
