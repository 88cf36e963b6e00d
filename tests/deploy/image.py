"""The Dockerfile without Docker: its steps done in folders, by a user without privileges."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.architecture.source import ROOT
from tests.servers.unavailable import ServerUnavailableError, need_program

USER = 10001
_STEP_SECONDS = 900
_OURS = ("GOLDPAN_", "AWS_", "PYTEST_", "PYTHON", "VIRTUAL_ENV", "COVERAGE_")


def unprivileged() -> list[str]:
    """Return what to put before a command so that it runs without privileges; nothing if we do.

    Raises ServerUnavailableError where we are root and cannot give that up.
    """
    if os.geteuid() != 0:
        return []
    setpriv = need_program("setpriv", "running the image's steps as somebody else than root")
    return [setpriv, f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"]


def base_python() -> str:
    """Return a Python of our version, outside any environment, that the user may run.

    Raises ServerUnavailableError where there is none, as where root's own is in root's home.
    """
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    there = [shutil.which(name, path=path) for path in ("/usr/local/bin", "/usr/bin")]
    own = str(Path(sys.base_prefix) / "bin" / name)
    for candidate in [own, *(path for path in there if path)]:
        probe = "import ensurepip, sys; print(sys.base_prefix)"
        done = subprocess.run(
            [*unprivileged(), candidate, "-I", "-c", probe],
            capture_output=True,
            text=True,
            check=False,
        )
        home = Path(candidate).parent.parent
        if done.returncode == 0 and Path(done.stdout.strip()) == home:
            return candidate
    raise ServerUnavailableError(f"no {name} with ensurepip that a user without privileges can run")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One line of a Dockerfile: its name, and the rest of it."""

    name: str
    rest: str


def stages() -> list[list[Instruction]]:
    """Return the instructions of each stage of the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line and line[0] != "#"]
    found: list[list[Instruction]] = []
    for name, rest in lines:
        if name == "FROM":
            found.append([])
        found[-1].append(Instruction(name, rest.strip()))
    return found


def give(path: Path) -> None:
    """Make a folder that is the user's."""
    path.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(path, USER, USER)


def copy_of_the_context(folder: Path) -> None:
    """Copy what the Dockerfile copies, as a read-only tree."""
    for instruction in stages()[0]:
        if instruction.name == "COPY":
            for name in instruction.rest.split()[:-1]:
                _copy(ROOT / name, folder / name)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


@dataclass
class Image:
    """The folders that replace the image's paths, and how its commands are run."""

    folder: Path
    context: Path
    python: str
    env: dict[str, str] = field(default_factory=dict)

    def at(self, path: str) -> Path:
        """Return where a path of the image is."""
        return self.folder / path.lstrip("/")

    def build(
        self,
        *,
        without: Sequence[str] = (),
        instead: Sequence[str] = (),
        arguments: Mapping[str, str] = MappingProxyType({}),
    ) -> list[str]:
        """Do the steps of the first stage; return the commands that were run.

        RUN steps that hold one of the texts ``without`` are left out, and ``instead`` run in the
        place of the first. What the base image has to install is the machine's own here.
        ``arguments`` are those of the build.
        """
        waiting = list(instead)
        ran: list[str] = []
        workdir = "/"
        for instruction in stages()[0]:
            match instruction.name:
                case "ENV":
                    self.env |= dict(_assignments(instruction.rest))
                case "ARG":
                    self.env |= dict(_assignments(instruction.rest)) | dict(arguments)
                case "RUN" if "apt-get" in instruction.rest:
                    need_program("gcc", "compiling redaction")
                case "WORKDIR":
                    workdir = instruction.rest
                    give(self.at(workdir))
                case "COPY":
                    self._copy(instruction.rest.split(), self.at(workdir))
                case "RUN":
                    commands = [instruction.rest]
                    if any(text in instruction.rest for text in without):
                        commands, waiting = waiting, []
                    for command in commands:
                        self._run(command, self.at(workdir))
                        ran.append(command)
        return ran

    def _copy(self, words: Sequence[str], workdir: Path) -> None:
        *sources, target = words
        for name in sources:
            to = workdir / target / name if target.endswith("/") else workdir / target
            _copy(self.context / name, to)
        for path in workdir.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
            if os.geteuid() == 0:
                os.chown(path, USER, USER)

    def _run(self, command: str, workdir: Path) -> None:
        here = re.sub(r"(?<![\w.])/opt(?=/(?:goldpan|compile))", str(self.at("/opt")), command)
        here = re.sub(r"^python\b", shlex.quote(self.python), here)
        done = subprocess.run(
            [*unprivileged(), "sh", "-ec", here],
            cwd=workdir,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=_STEP_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a step: this process's, without what would change the step."""
        home = self.at("/tmp")  # noqa: S108  # a folder of the image
        give(home)
        kept = {n: v for n, v in os.environ.items() if not n.startswith(_OURS)}
        return {**kept, "HOME": str(home), **self.env, **(more or {})}

    def seal(self) -> None:
        """Take the right to write away from what the image brings, as a read-only root does."""
        built = self.at("/opt/goldpan")
        for path in [built, *built.rglob("*")]:
            if not path.is_symlink():
                if os.geteuid() == 0:
                    os.chown(path, 0, 0)
                path.chmod(path.stat().st_mode & 0o555)

    def start(self, env: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the entry point of the last stage to its end; without arguments, what CMD says."""
        final = {one.name: one.rest for one in stages()[-1]}
        own = dict(a for one in stages()[-1] if one.name == "ENV" for a in _assignments(one.rest))
        own["PATH"] = f"{self.at('/opt/goldpan/bin')}:{os.environ['PATH']}"
        own["HOME"] = str(self.at(own["HOME"]))
        program, *before = json.loads(final["ENTRYPOINT"])
        path = str(self.at("/opt/goldpan/bin") / program)
        return subprocess.run(
            [*unprivileged(), path, *before, *(arguments or json.loads(final["CMD"]))],
            cwd=self.at(final["WORKDIR"]),
            env=self.environment({**own, **env}),
            capture_output=True,
            text=True,
            timeout=_STEP_SECONDS,
            check=False,
        )


def _assignments(rest: str) -> Iterator[tuple[str, str]]:
    for word in shlex.split(rest):
        name, _, value = word.partition("=")
        yield name, value
