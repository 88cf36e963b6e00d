"""The Java of this machine, and what Maven fetches for it."""

import re
import subprocess
from functools import cache
from pathlib import Path

from tests.servers.unavailable import ServerUnavailableError, fetch, need_program

OLDEST_JAVA = 17


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
