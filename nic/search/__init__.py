"""Search while encoding: a quality that meets a target, and better latents for one picture."""
