"""Search at encode time: rate targets, and latents for the picture at hand."""
