"""Readers of single formats that Pillow does not read, or reads with losses."""
