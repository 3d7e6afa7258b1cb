"""Compile the C libraries into cffi modules in API mode.

pyproject.toml makes `BuildExt` the `build_ext` command of setuptools. It writes the cffi glue into
the build folder, never into the source tree, and compiles it with the C files.
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI
from setuptools import Extension
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
NATIVE = HERE.parent / "models" / "native"
HEADERS = {
    "nic.fse._fse": HERE / "fse.h",
    "nic.models.native._transform": NATIVE / "transform.h",
    "nic.models.native.distortion._distortion": NATIVE / "distortion" / "distortion.h",
}


def declarations(header: str) -> str:
    """Return the header without comments and preprocessor lines, which cffi does not read."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def builder(module: str) -> FFI:
    """Return the FFI with all declarations of a module's header."""
    header = HEADERS[module]
    ffi = FFI()
    ffi.cdef(declarations(header.read_text(encoding="utf-8")))
    ffi.set_source(module, f'#include "{header.name}"')
    return ffi


class BuildExt(build_ext):
    """Write the glue of a cffi module before it is compiled."""

    def build_extension(self, ext: Extension) -> None:
        """Build one extension; add the glue to its C files."""
        if ext.name in HEADERS:
            glue = Path(self.build_temp, f"{ext.name.rpartition('.')[2]}.c")
            glue.parent.mkdir(parents=True, exist_ok=True)
            builder(ext.name).emit_c_code(str(glue))
            ext.sources = [*ext.sources, str(glue)]
        super().build_extension(ext)
