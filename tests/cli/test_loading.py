"""What a program loads to run: no framework before a network must run."""

import pytest
from loading import SLOW, modules_of


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
    assert not loaded & (SLOW | {"imageio", "PIL", "rich"})


def test_encoding_and_decoding_on_the_cpu_load_no_framework(png, stages):
    for args, data in ((("encode", str(png)), b""), (("decode",), stages["packed"])):
        loaded = modules_of(*args, data=data)
        assert not loaded & (SLOW | {"rich"})


def test_help_loads_nothing_heavy():
    heavy = SLOW | {"imageio", "rich", "PIL", "multiprocessing"}
    assert not modules_of("--help", data=b"") & heavy
