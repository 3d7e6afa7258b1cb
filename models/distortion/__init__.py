"""Distortions of pictures that networks can be trained for."""
