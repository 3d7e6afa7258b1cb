"""Pictures to latents and back: backends, tiles and strips."""
