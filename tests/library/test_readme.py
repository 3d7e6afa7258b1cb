"""The README's Python scripts run, and say what they claim."""

import re
import subprocess
import sys

import pytest
from PIL import Image
from places import ROOT

SCRIPTS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


def test_there_are_scripts():
    assert len(SCRIPTS) == 2


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_runs(script, tmp_path, photographs):
    Image.fromarray(photographs["chelsea"][:100, :120]).save(tmp_path / "photo.png")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "(120, 100)" in done.stdout or "(100, 120, 3) 50" in done.stdout
