"""Counting the steps of the interpreter in some modules, and acting at one of them."""

import sys


class Steps:
    """Counts the steps in the files ``traced``, and calls ``act`` at number ``at``; 0 for none."""

    def __init__(self, at, traced, act):
        self.at, self.traced, self.act, self.count = at, traced, act, 0

    def trace(self, frame, event, _):
        """For ``sys.settrace``."""
        if frame.f_code.co_filename not in self.traced:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.count += 1
            if self.count == self.at:
                sys.settrace(None)
                self.act()
        return self.trace
