"""The programs that do one stage each."""
