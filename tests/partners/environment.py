"""The folders with the other tools, fetched once, and the way to run a script with them."""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.servers.cache import cached
from tests.servers.unavailable import fetch

_ROOT = Path(__file__).parents[2]
_LOCKS = _ROOT / "requirements"
_SECONDS = 240


def prepare_partners() -> Path:
    """The folder of packages, installed if it is missing; raises ServerUnavailableError."""
    # pyspark is published as source only; what builds it is in the environment of the tests.
    how = ("--no-binary", "pyspark", "--no-build-isolation")
    return _prepare("partners", "the tools that read goldpan's releases", how)


def prepare_judge_partners() -> Path:
    """The same, for what judges are compared with.

    The lock leaves out what is not needed and would have to be built, so pip must not miss it.
    """
    return _prepare("judge-partners", "the servers and models of judges", ("--no-deps",))


def _prepare(name: str, purpose: str, how: Sequence[str]) -> Path:
    lock = _LOCKS / f"{name}.lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]

    def install(folder: Path) -> None:
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
        exact = ("--require-hashes", "--only-binary", ":all:", *how)
        fetch([*pip, *exact, "--target", str(folder), "--requirement", str(lock)], purpose)

    return cached(f"{name}-{digest}-py{sys.version_info.minor}", install)


class Partners:
    """Runs scripts of this package with the other tools' packages before all others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def command(self, script: str, *args: str | Path) -> Sequence[str]:
        """The command that runs a script."""
        return [sys.executable, str(Path(__file__).with_name(script)), *map(str, args)]

    def environment(self, home: Path) -> dict[str, str]:
        """The environment of such a command; goldpan itself comes after the other tools."""
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
        path = os.pathsep.join((str(self._folder), str(_ROOT)))
        return os.environ | quiet | {"PYTHONPATH": path, "HOME": str(home)}

    def run(self, script: str, *args: str | Path, cwd: Path) -> Any:
        """Run a script and return the JSON it prints last; it may leave files in ``cwd``."""
        done = subprocess.run(
            self.command(script, *args),
            env=self.environment(cwd),
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    def make_mlflow_database(self, folder: Path) -> None:
        """Put an empty database of MLflow into a folder, as ``mlflow.db``: to make one takes long.

        It is made once for these packages, and copied.
        """
        name = f"mlflow-database-of-{self._folder.name}"
        made = cached(name, lambda empty: self.run("make_mlflow.py", cwd=empty))
        shutil.copy(made / "mlflow.db", folder)
        with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
            files = str(folder / "mlruns" / "0")
            database.execute("UPDATE experiments SET artifact_location = ?", (files,))
