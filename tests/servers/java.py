"""The Java of this machine, and what Maven fetches for it."""

import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache, partial
from hashlib import sha256
from pathlib import Path

from tests.servers.cache import cached
from tests.servers.unavailable import ServerUnavailableError, fetch, need_program

OLDEST_JAVA = 17
_ARCHIVE = "classes.jsa"

RunOnce = Callable[[Path, str], None]
"""Lets a server start and end in a folder, with an option for its Java."""


def java(purpose: str) -> str:
    """The command ``java``; raises ServerUnavailableError if it is missing or too old."""
    command = need_program("java", purpose)
    version = re.search(r'version "(\d+)', java_version())
    if version is None or int(version.group(1)) < OLDEST_JAVA:
        raise ServerUnavailableError(f"{purpose} needs Java {OLDEST_JAVA} or newer")
    return command


@cache
def java_version() -> str:
    """What `java -version` says of itself."""
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    return said.stderr


def shared_classes(jars: Path, run_once: RunOnce, *more: str) -> str:
    """Return the option by which Java takes the classes of a server from an archive.

    So a start takes half the time. The archive is made once, of what ``run_once`` lets a server
    load; it depends on the jars, on Java, and on ``more``.
    """
    digest = sha256("\n".join((java_version(), *more)).encode()).hexdigest()[:12]
    made = cached(f"{jars.name}-classes-{digest}", partial(_archive_classes, run_once))
    return f"-XX:SharedArchiveFile={made / _ARCHIVE}"


def _archive_classes(run_once: RunOnce, folder: Path) -> None:
    place = folder / "server"
    try:
        run_once(place, f"-XX:ArchiveClassesAtExit={folder / _ARCHIVE}")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def copy_dependencies(pom: Path, folder: Path, purpose: str) -> None:
    """Put the jars that a pom names, and those that they need, into a folder."""
    maven = [need_program("mvn", purpose), "-B", "-q", "-f", str(pom)]
    fetch([*maven, "dependency:copy-dependencies", f"-DoutputDirectory={folder}"], purpose)


def copy_archive(coordinates: str, folder: Path, purpose: str) -> None:
    """Put one published file, without what it needs, into a folder.

    Version 2.8 of the plugin, because newer ones insist on the parent poms of the file.
    """
    goal = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy"
    maven = [need_program("mvn", purpose), "-B", "-q", goal, f"-Dartifact={coordinates}"]
    fetch([*maven, f"-DoutputDirectory={folder}"], purpose)
