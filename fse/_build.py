"""Compile the C coder into `nic.fse._fse`, a cffi module in API mode.

pyproject.toml makes `BuildExt` the `build_ext` command of setuptools. It writes the cffi glue into
the build folder, never into the source tree, and compiles it with the C files.
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI
from setuptools import Extension
from setuptools.command.build_ext import build_ext

MODULE = "nic.fse._fse"
HEADER = Path(__file__).with_name("fse.h")


def declarations(header: str) -> str:
    """Return the header without comments and preprocessor lines, which cffi does not read."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def builder() -> FFI:
    """Return the FFI with all declarations of fse.h."""
    ffi = FFI()
    ffi.cdef(declarations(HEADER.read_text(encoding="utf-8")))
    ffi.set_source(MODULE, '#include "fse.h"')
    return ffi


class BuildExt(build_ext):
    """Write the glue of `nic.fse._fse` before it is compiled."""

    def build_extension(self, ext: Extension) -> None:
        """Build one extension; add the glue to the sources of the coder."""
        if ext.name == MODULE:
            glue = Path(self.build_temp, "_fse.c")
            glue.parent.mkdir(parents=True, exist_ok=True)
            builder().emit_c_code(str(glue))
            ext.sources = [*ext.sources, str(glue)]
        super().build_extension(ext)
