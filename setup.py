"""Compiles the modules of `redact/compiled_modules.txt` with mypyc, if COMPILE_REDACTION is 1.

Everything else about the package is in pyproject.toml. ``make wheel`` and the image set the
variable; without it the package is pure Python. A compilation that fails fails the build.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

_LIST = Path("redact", "compiled_modules.txt")
_EDITABLE = {"editable_wheel", "develop"}


def _extensions() -> list[Extension]:
    """Return the extensions to build."""
    if os.environ.get("COMPILE_REDACTION") != "1":
        return []
    if _EDITABLE & set(sys.argv):
        raise SystemExit(
            "COMPILE_REDACTION=1 is not for an editable install: an edited module would have no "
            "effect. Unset it, or build a wheel with `make wheel`."
        )
    from mypyc.build import mypycify  # noqa: PLC0415  # only builds that compile have it

    # A library for each module can be built again alone, as in tests; one for all runs faster.
    separate = os.environ.get("COMPILE_REDACTION_SEPARATE") == "1"
    modules = _LIST.read_text(encoding="ascii").split()
    extensions: list[Extension] = mypycify(
        [f"{module.replace('.', '/')}.py" for module in modules],
        opt_level=os.environ.get("COMPILE_REDACTION_LEVEL", "2"),
        debug_level="0",
        group_name=None if separate else "redact",
        separate=separate,
    )
    return extensions


setup(ext_modules=_extensions())
