"""Times of networks, stages and programs."""
