"""Benchmarks of ``nic bench``: speed on this machine, and quality against other codecs."""
