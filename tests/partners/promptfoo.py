"""promptfoo, which runs on Node: fetched once by its lock, asked what it makes of test cases."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.servers.cache import cached
from tests.servers.unavailable import ServerUnavailableError, fetch, need_program

_LOCKED = Path(__file__).with_name("node")
_PURPOSE = "promptfoo"
_SINCE = (20, 20)
_SECONDS = 120


def prepare_promptfoo() -> Path:
    """The folder of packages, installed if it is missing; raises ServerUnavailableError."""
    need_program("npm", _PURPOSE)
    version = subprocess.run(
        [need_program("node", _PURPOSE), "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if tuple(map(int, version.removeprefix("v").split(".")[:2])) < _SINCE:
        raise ServerUnavailableError(f"{_PURPOSE} needs Node 20.20 or later, and {version} is here")
    digest = hashlib.sha256((_LOCKED / "package-lock.json").read_bytes()).hexdigest()[:12]
    return cached(f"promptfoo-{digest}", _install)


def _install(folder: Path) -> None:
    for file in _LOCKED.iterdir():
        shutil.copy(file, folder)
    how = ("--ignore-scripts", "--omit=optional", "--omit=peer", "--no-audit", "--no-fund")
    # Not `npm ci`, which also wants the packages of all other platforms to be in the lock.
    fetch(["npm", "install", "--prefix", str(folder), *how], _PURPOSE)


class Promptfoo:
    """Evaluates test cases with a provider that answers with the prompt as it was rendered."""

    def __init__(self, folder: Path) -> None:
        self._command = ["node", str(folder / "node_modules/promptfoo/dist/src/entrypoint.js")]

    def evaluate(self, tests: Path, prompt: str) -> list[dict[str, Any]]:
        """Return the results of all test cases of a file; it leaves files beside that."""
        config = tests.with_name("promptfooconfig.yaml")
        asked = {"prompts": [prompt], "providers": ["echo"], "tests": f"file://{tests.name}"}
        config.write_text(yaml.safe_dump(asked))
        out = tests.with_name("out.json")
        out.unlink(missing_ok=True)
        quiet = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1"}
        done = subprocess.run(
            [*self._command, "eval", "-c", config.name, "--no-cache", "--no-write", "-o", out.name],
            cwd=tests.parent,
            env=os.environ | quiet | {"PROMPTFOO_CONFIG_DIR": str(tests.parent / "promptfoo")},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,  # 100 says that an assertion failed
        )
        assert out.exists(), done.stderr[-3000:]
        found: list[dict[str, Any]] = json.loads(out.read_text())["results"]["results"]
        return found
