"""Records: header, channel index, chunks, and what is intact of damaged streams."""
