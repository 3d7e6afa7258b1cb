"""Rate and distortion of nic and of its peers."""
