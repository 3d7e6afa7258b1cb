"""A short run of tests/support/fuzz_programs.py: damaged input, bounded memory."""

import subprocess
import sys

from places import SUPPORT

SCRIPT = SUPPORT / "fuzz_programs.py"


def test_damaged_inputs_end_in_one_line_and_an_exit_code_of_ours():
    command = [sys.executable, SCRIPT, "--seed", "11", "--streams", "300", "--pictures", "150"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=SCRIPT.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    streams, pictures = done.stdout.splitlines()
    assert streams.startswith("streams: 300 cases")
    assert pictures.startswith("pictures: 150 cases")
    for code in (0, 3, 6):  # it decodes, refuses, and decodes in part
        assert f" {code}: " in streams or f"{{{code}: " in streams
