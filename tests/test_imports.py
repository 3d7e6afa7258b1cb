"""What imports what: the direction between packages, and what a program loads to run."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"nic": "nic", "nic.cli": "cli", "nic.fse": "fse", "nic.models": "models"}
SLOW = {"keras", "tensorflow", "jax", "torch"}
STAGES = ("encode", "quantize", "entropy", "pack")

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


def imports(path):
    """Names of all modules that a file imports, at any depth, as written in full."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(package):
    return sorted((ROOT / PACKAGES[package]).glob("*.py"))


def package_of(name):
    """Which of our packages a module belongs to; None for other people's."""
    if name.partition(".")[0] != "nic":
        return None
    return next((p for p in sorted(PACKAGES, reverse=True)[:3] if f"{name}.".startswith(f"{p}.")),
                "nic")  # fmt: skip


@pytest.mark.parametrize(
    ("package", "others"),
    [
        ("nic.cli", {"nic.cli", "nic", "nic.models", "nic.fse"}),
        ("nic", {"nic", "nic.models", "nic.fse"}),
        ("nic.models", {"nic.models", "nic"}),
        ("nic.fse", {"nic.fse"}),
    ],
)
def test_imports_go_one_way(package, others):
    assert sources(package)
    for path in sources(package):
        found = {package_of(name) for name in imports(path)} - {None}
        assert found <= others, path


def test_models_take_nothing_but_the_errors_from_the_library():
    for path in sources("nic.models"):
        taken = {name for name in imports(path) if package_of(name) == "nic"} - {"nic"}
        assert {name for name in taken if not f"{name}.".startswith("nic.errors.")} == set(), path


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_another(stage):
    found = set(imports(ROOT / "nic" / f"{stage}.py"))
    others = set(STAGES) - {stage}
    assert not {name for name in found for o in others if f"{name}.".startswith(f"nic.{o}.")}


def test_keras_is_named_in_models_alone():
    for package in ("nic", "nic.cli", "nic.fse"):
        for path in sources(package):
            assert not {name.partition(".")[0] for name in imports(path)} & SLOW, path


def modules_of(*args, data):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KERAS")}
    command = [sys.executable, "-c", PROBE, *args]
    settings = {"env": environment, "cwd": ROOT / "tests"}  # in ROOT, ./nic would be imported
    result = subprocess.run(command, input=data, capture_output=True, **settings)
    assert result.returncode == 0, result.stderr.decode()
    return set(json.loads(result.stderr.decode().splitlines()[-1]))


@pytest.mark.parametrize(
    ("command", "stage"),
    [
        ("quantize", "latents"),
        ("entropy", "symbols"),
        ("entropy", "latents"),
        ("pack", "coded"),
        ("info", "packed"),
        ("test", "packed"),
        ("models", "packed"),
    ],
)
def test_what_runs_no_network_loads_no_framework(stages, command, stage):
    loaded = modules_of(command, data=stages[stage])
    assert "numpy" in loaded or command == "models"
    assert not loaded & (SLOW | {"ai_edge_litert", "imageio", "PIL", "rich"})


def test_encoding_and_decoding_on_the_cpu_load_litert_alone(png, stages):
    for args, data in ((("encode", str(png)), b""), (("decode",), stages["packed"])):
        loaded = modules_of(*args, data=data)
        assert "ai_edge_litert" in loaded
        assert not loaded & (SLOW | {"rich"})


def test_help_loads_nothing_heavy():
    heavy = SLOW | {"ai_edge_litert", "imageio", "rich", "PIL", "multiprocessing"}
    assert not modules_of("--help", data=b"") & heavy
