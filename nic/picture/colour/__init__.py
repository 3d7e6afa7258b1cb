"""Colour that files declare: read, carried in chunk c, written back or turned into a profile."""
