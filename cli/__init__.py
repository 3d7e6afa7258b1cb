"""The programs: one thin click command per module."""
