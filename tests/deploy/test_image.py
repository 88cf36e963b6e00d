"""The image's steps, replayed without Docker: what they make starts a worker."""

import json
import os
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.image import Image, base_python, copy_of_the_context, give, stages
from tests.make.records import encode_json, feedback, trace
from tests.servers.fixtures import missing
from tests.servers.kafka import unique
from tests.servers.mock_kafka import MockKafka
from tests.servers.topic_io import Record
from tests.servers.unavailable import ServerUnavailableError
from tests.servers.worker import settings

_PACKAGES = f"/opt/goldpan/lib/python{sysconfig.get_python_version()}/site-packages"
LOCKS = ("requirements/runtime.lock", "requirements/compile.lock")


@pytest.fixture
def image() -> Iterator[Image]:
    """An image not built yet, with a read-only context."""
    # Not in pytest's folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="goldpan-image-"))
    folder.chmod(0o755)
    try:
        context = folder / "context"
        copy_of_the_context(context)
        for name in ("goldpan", "compile"):
            give(folder / "root" / "opt" / name)
        yield Image(folder / "root", context, base_python())
    except ServerUnavailableError as why:
        missing("image", why)
    finally:
        for path in folder.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(folder)


def assert_worker_starts(image: Image, kafka: MockKafka) -> None:
    """Bring records into a lake with the image, prove it, and find the image as it was."""
    for topic, make in (("llm.traces", trace), ("llm.feedback", feedback)):
        kafka.produce(topic, [Record(b"%d" % i, encode_json(make(i))) for i in range(10)])
    lake = image.at("/lake")
    give(lake)
    give(image.at("/cache"))
    kept = image.at("/cache/kept")
    env = settings(
        kafka,
        lake,
        kafka__group_id=unique("image"),
        redact__policy="strict",
        redact__cache_dir=str(kept),
    )
    before = _state(image)
    worker = image.start(env, "stream", "run", "--until-caught-up")
    assert worker.returncode == 0, worker.stderr[-3000:]
    events = [json.loads(line)["event"] for line in worker.stderr.splitlines() if line[:1] == "{"]
    assert "caught_up" in events
    assert not kept.exists(), "the expressions of a preset are in the image"
    proof = image.start({"GOLDPAN_LAKE__URI": str(lake)}, "lake", "verify", "--json")
    report = json.loads(proof.stdout)
    assert report["ok"]
    assert sum(part["stored"] for part in report["partitions"]) == 20
    assert _state(image) == before


def _state(image: Image) -> dict[str, tuple[int, float]]:
    """The size and time of each file that the image brings, and of what builds it."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime)
        for folder in (image.at("/opt/goldpan"), image.context)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.chaos  # it builds wheels and compiles redaction: half a minute of work
def test_the_steps_make_something_that_starts(image: Image, mock_kafka: MockKafka) -> None:
    """Without privileges, the package is built from a source that cannot be written, and runs.

    The packages of the lock are those of the environment that runs the tests, which another test
    holds equal to the lock; `make chaos` installs them from the lock itself, and compiles
    redaction.
    """
    here = sysconfig.get_paths()["purelib"]
    if os.geteuid() == 0 and not Path(here).stat().st_mode & 0o005:
        pytest.skip(f"{here} cannot be read by a user without privileges")
    ran = image.build(without=LOCKS, instead=_borrow(here), arguments={"COMPILE_REDACTION": "0"})
    steps = [step.rest for step in stages()[0] if step.name == "RUN"]
    assert [step for step in steps if step not in ran] == [
        step for step in steps if "apt-get" in step or any(lock in step for lock in LOCKS)
    ]
    assert image.at(f"{_PACKAGES}/goldpan/cli/main.py").is_file()
    image.seal()
    assert image.start({}, "--version").stdout.endswith("(pure)\n")
    assert_worker_starts(image, mock_kafka)


def _borrow(packages: str) -> list[str]:
    """Return the commands that make the image use the packages of a folder."""
    return [
        "/opt/goldpan/bin/python -m pip uninstall --quiet --yes setuptools",  # too old to build
        f"echo {packages} > {_PACKAGES}/elsewhere.pth",
    ]


@pytest.mark.chaos
def test_a_compiler_that_fails_fails_the_build(image: Image) -> None:
    """There is no image with pure Python by accident."""
    here = sysconfig.get_paths()["purelib"]
    broken = {"COMPILE_REDACTION": "1", "CC": "/bin/false"}
    with pytest.raises(AssertionError, match="/bin/false"):
        image.build(without=LOCKS, instead=_borrow(here), arguments=broken)
    assert not image.at(f"{_PACKAGES}/goldpan").exists()


@pytest.mark.chaos
@pytest.mark.timeout(1200)  # compiling for speed takes over three minutes of CPU time
def test_the_image_from_the_lock(image: Image, mock_kafka: MockKafka) -> None:
    """Every step as it is written: all packages from the lock, by hash, in a new environment."""
    ran = image.build()
    assert all(any(lock in command for command in ran) for lock in LOCKS)
    image.seal()
    assert image.start({}, "--version").stdout.endswith("(compiled)\n")
    pure = image.start({"GOLDPAN_REDACT__COMPILED": "false"}, "--version")
    assert pure.stdout.endswith("(pure)\n")
    assert_worker_starts(image, mock_kafka)
