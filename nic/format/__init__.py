"""Records: header, channel index, chunks, and the recovery of damaged streams."""
