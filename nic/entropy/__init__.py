"""Symbols to coded channels and back: modes, class tables, the class map."""
