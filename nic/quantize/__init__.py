"""Latents to symbols and back: rounding, prediction, the excess beyond the codebook."""
