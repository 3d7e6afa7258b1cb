"""Measuring speed, and quality against other codecs, on this machine: what ``nic bench`` runs."""
