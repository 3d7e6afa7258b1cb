"""What a program loads to run."""

import json
import os
import subprocess
import sys

from places import TESTS

SLOW = {"keras", "tensorflow", "jax", "torch"}

# Run a program's command as the program would, then tell which modules are there.
PROBE = """
import json, os, sys
from nic.cli.main import main
out = os.dup(1)
try:
    main(sys.argv[1:], prog_name="nic")
except SystemExit as end:
    assert not end.code, end.code
names = sorted({name.partition(".")[0] for name in sys.modules})
sys.stderr.write(json.dumps(names))
"""


def modules_of(*args, data):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KERAS")}
    command = [sys.executable, "-c", PROBE, *args]
    settings = {"env": environment, "cwd": TESTS}  # in ROOT, ./nic would be imported
    result = subprocess.run(command, input=data, capture_output=True, **settings)
    assert result.returncode == 0, result.stderr.decode()
    return set(json.loads(result.stderr.decode().splitlines()[-1]))
