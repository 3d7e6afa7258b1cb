"""Timing of networks, stages and programs."""
