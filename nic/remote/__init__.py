"""Files on other machines: named by a URL, and read in few ranges of bytes."""
