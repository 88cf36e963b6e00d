"""A Trino that runs in a process of its own, for as long as a list of statements takes."""

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.servers.cache import cached
from tests.servers.java import copy_dependencies
from tests.servers.unavailable import ServerUnavailableError

PURPOSE = "Trino"
_HERE = Path(__file__).parent
_SECONDS = 240
# Of all the memory that the process may have; Trino wants instructions for vectors as a module.
_OPTIONS = ("-Xmx1g", "--add-modules=jdk.incubator.vector", "--sun-misc-unsafe-memory-access=allow")
OLDEST_JAVA = 25


def prepare_trino() -> Path:
    """The folder of jars, fetched if it is missing; raises ServerUnavailableError."""
    _java()
    pom = _HERE / "pom.xml"
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    return cached(f"trino-{digest}", lambda folder: copy_dependencies(pom, folder, PURPOSE))


def _java() -> Path:
    """A Java that Trino runs on: that of ``JAVA_HOME``, or one that the system has beside it."""
    homes = [os.environ.get("JAVA_HOME", ""), *map(str, sorted(Path("/usr/lib/jvm").glob("*")))]
    for home in filter(None, homes):
        release = Path(home) / "release"
        said = release.read_text(encoding="utf-8") if release.is_file() else ""
        if f'JAVA_VERSION="{OLDEST_JAVA}' in said:
            return Path(home) / "bin" / "java"
    raise ServerUnavailableError(f"{PURPOSE} needs Java {OLDEST_JAVA}")


def run_trino(jars: Path, statements: Sequence[str], folder: Path) -> list[Any]:
    """Run statements in a catalog ``lake``, in memory; return the answer to each.

    An answer is a list of rows, which are lists of texts, or ``{"error": …}``.
    """
    asked, answered = folder / "statements.json", folder / "answers.json"
    asked.write_text(json.dumps(list(statements)), encoding="utf-8")
    command = [str(_java()), *_OPTIONS, "-cp", f"{jars}/*", str(_HERE / "RunTrino.java")]
    done = subprocess.run(
        [*command, str(asked), str(answered)],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert answered.is_file(), (done.stdout + done.stderr)[-3000:]
    answers: list[Any] = json.loads(answered.read_text(encoding="utf-8"))
    return answers
