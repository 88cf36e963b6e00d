"""Names the build of the Python that runs, since the same code takes other times on other builds.

A Python that was configured with ``--enable-optimizations`` takes about a tenth less CPU time.
"""

import platform
import re
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_MAPS: Final = Path("/proc/self/maps")
_LEVEL: Final = re.compile(r"-O\S")


def describe_python() -> str:
    """Return the version of this Python, and how it was built."""
    name = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{name} ({describe_build(sysconfig.get_config_vars(), shared=_is_shared())})"


def describe_build(variables: Mapping[str, object], *, shared: bool) -> str:
    """Return how a Python was built, by its variables of `sysconfig`.

    ``shared`` says whether the interpreter runs from a shared library. If the variables say
    otherwise they belong to another build, as on Debian, which packs two with the variables of one.
    """
    library = "in a shared library" if shared else "in the executable"
    if shared != bool(variables.get("Py_ENABLE_SHARED")):
        return f"{library}, optimisation not recorded"
    configured = str(variables.get("CONFIG_ARGS") or "")
    levels = _LEVEL.findall(str(variables.get("PY_CFLAGS") or ""))
    parts = [
        "optimised by profile" if "--enable-optimizations" in configured else "no profile",
        "LTO" if "--with-lto" in configured else "no LTO",
        levels[-1] if levels else "no level",
        library,
    ]
    return ", ".join(parts)


def _is_shared() -> bool:
    """Return whether this process has mapped the library; by the variables if none can tell."""
    try:
        return "/libpython" in _MAPS.read_text()
    except OSError:
        return bool(sysconfig.get_config_var("Py_ENABLE_SHARED"))
