"""The folder with the other tools, fetched once, and the way to run a script with them."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.servers.cache import cached
from tests.servers.unavailable import fetch

_ROOT = Path(__file__).parents[2]
_LOCK = _ROOT / "requirements" / "partners.lock"
_SECONDS = 240
_PURPOSE = "the tools that read goldpan's releases"


def prepare_partners() -> Path:
    """The folder of packages, installed if it is missing; raises ServerUnavailableError."""
    digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    return cached(f"partners-{digest}-py{sys.version_info.minor}", _install)


def _install(folder: Path) -> None:
    # pyspark is published as source only; what builds it is in the environment of the tests.
    how = ("--require-hashes", "--only-binary", ":all:", "--no-binary", "pyspark")
    target = ("--no-build-isolation", "--target", str(folder), "--requirement", str(_LOCK))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    fetch([*pip, *how, *target], _PURPOSE)


class Partners:
    """Runs scripts of this package with the other tools' packages before all others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, script: str, *args: str | Path, cwd: Path) -> Any:
        """Run a script and return the JSON it prints last; it may leave files in ``cwd``."""
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
        env = os.environ | quiet | {"PYTHONPATH": str(self._folder), "HOME": str(cwd)}
        command: Sequence[str] = [
            sys.executable,
            str(Path(__file__).with_name(script)),
            *map(str, args),
        ]
        done = subprocess.run(
            command,
            env=env,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])
