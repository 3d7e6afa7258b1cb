"""What imports what: the direction between packages, and what a program loads to run."""

import ast

import pytest
from places import ROOT

PACKAGES = {"nic": "nic", "nic.cli": "cli", "nic.fse": "fse", "nic.models": "models"}
SLOW = {"keras", "tensorflow", "jax", "torch"}
LOWEST = ("nic.errors.", "nic.types.")  # which all packages but nic.fse may import
STAGES = ("transform", "quantize", "entropy")


def imports(path):
    """Names of all modules that a file imports, at any depth, as written in full."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(package):
    return sorted((ROOT / PACKAGES[package]).rglob("*.py"))


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


def test_models_take_only_errors_and_types_from_the_library():
    for path in sources("nic.models"):
        taken = {name for name in imports(path) if package_of(name) == "nic"} - {"nic"}
        assert {name for name in taken if not f"{name}.".startswith(LOWEST)} == set(), path


def test_the_lowest_modules_import_nothing_of_ours():
    for name in ("errors", "types"):
        found = set(imports(ROOT / "nic" / f"{name}.py"))
        assert not {name for name in found if package_of(name)}


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_another(stage):
    for path in (ROOT / "nic" / stage).glob("*.py"):
        found = set(imports(path))
        others = set(STAGES) - {stage}
        assert not {name for name in found for o in others if f"{name}.".startswith(f"nic.{o}.")}


def test_keras_is_named_in_models_alone():
    for package in ("nic", "nic.cli", "nic.fse"):
        for path in sources(package):
            assert not {name.partition(".")[0] for name in imports(path)} & SLOW, path
