"""The wheel of ``make wheel`` in an environment that has nothing else of goldpan."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from redact.build import SWITCH
from tests.architecture.source import ROOT
from tests.deploy.image import base_python, copy_of_the_context
from tests.servers.fixtures import missing
from tests.servers.unavailable import ServerUnavailableError, need_program
from tests.servers.worker import TEST_KEY

pytestmark = pytest.mark.chaos  # it compiles redaction and installs the lock: minutes

_LINE = {"id": 1, "text": "Write to Ana Lopez, ana.lopez@example.com, or call 415-555-0132."}
_REDACT = ("redact", "--schema", "text")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a wheel is made of."""
    folder = tmp_path_factory.mktemp("wheel") / "source"
    copy_of_the_context(folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def _make_wheel(source: Path, dist: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the recipe of the Makefile, in the copy."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^wheel: .*\n\t(.*)\n", text, re.MULTILINE)
    assert recipe is not None
    command = recipe[1].replace("$(PIP)", f"{sys.executable} -m pip").replace("dist ", f"{dist} ")
    return subprocess.run(
        ["sh", "-ec", command],
        cwd=source,
        env={**_without_ours(), **more},
        capture_output=True,
        text=True,
        check=False,
    )


def _without_ours() -> dict[str, str]:
    ours = ("GOLDPAN_", "PYTHON", "COMPILE_", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def test_a_compiler_that_fails_leaves_no_wheel(source: Path, tmp_path: Path) -> None:
    """Nobody gets a pure wheel by accident."""
    done = _make_wheel(source, tmp_path / "dist", CC="/bin/false")
    assert done.returncode != 0
    assert "/bin/false" in done.stdout + done.stderr
    assert not list(tmp_path.rglob("*.whl"))


@pytest.mark.timeout(1200)  # compiling for speed takes over three minutes of CPU time
def test_the_wheel_runs_in_a_bare_environment(source: Path, tmp_path: Path) -> None:
    """It says that it is compiled, redacts as in pure Python, and prepares its expressions."""
    try:
        need_program("gcc", "compiling redaction")
        python = base_python()
    except ServerUnavailableError as why:
        missing("wheel", why)
    done = _make_wheel(source, tmp_path / "dist")
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    (wheel,) = (tmp_path / "dist").glob("goldpan-*-cp*.whl")
    subprocess.run([python, "-m", "venv", str(tmp_path / "bare")], check=True)
    here = str(tmp_path / "bare" / "bin")
    pip = [f"{here}/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    lock = ROOT / "requirements" / "runtime.lock"
    locked = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(lock)]
    for arguments in (locked, ["--no-deps", str(wheel)]):
        subprocess.run([*pip, *arguments], env=_without_ours(), cwd=tmp_path, check=True)
    assert _run(tmp_path, [f"{here}/goldpan", "--version"]).endswith("(compiled)\n")
    first = _run(tmp_path, [f"{here}/goldpan", *_REDACT])
    assert "ana.lopez" not in first
    assert "415-555-0132" not in first
    assert _run(tmp_path, [f"{here}/goldpan", *_REDACT], **{SWITCH: "false"}) == first
    told = _run(tmp_path, [f"{here}/python", "-m", "redact.prepare_databases"])
    assert re.match(r"[0-9]+ files, ", told)
    kept = tmp_path / "kept"
    again = _run(tmp_path, [f"{here}/goldpan", *_REDACT], GOLDPAN_REDACT__CACHE_DIR=str(kept))
    assert again == first
    assert not kept.exists(), "prepared expressions are used"


def _run(folder: Path, command: list[str], **more: str) -> str:
    """Run a command outside of the source tree; return its output."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**_without_ours(), "GOLDPAN_REDACT__KEY": TEST_KEY, **more},
        input=json.dumps(_LINE) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout
