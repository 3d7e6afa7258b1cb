"""Keras networks, their training, and the zoo of shipped weights."""
