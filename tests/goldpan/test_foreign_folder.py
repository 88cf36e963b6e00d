"""Commands in a folder that holds files and folders called as goldpan's packages are."""

import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import pytest

from goldpan.cli.commands import COMMANDS, CatalogEntry, CommandEntry
from goldpan.demo.traffic import load_shipped_conversations, make_traces
from goldpan.demo.wire_formats import encode_json
from goldpan.package_guard import refuse_foreign_packages
from tests.architecture.source import ROOT, room_files
from tests.architecture.test_packaging import copy_of_the_source
from tests.servers.mock_kafka import MockKafka
from tests.servers.worker import environment, settings
from tests.short_versions import short

SCRIPT = Path(sys.executable).with_name("goldpan")
LIBRARIES = Path(pytest.__file__).parents[1]
SECONDS = 120.0

PACKAGES = ("schemas", "redact", "batch")
MODULES = ("labels", "stream", "random", "pickle", "multiprocessing", "click", "sitecustomize")


def _trap(folder: Path) -> Path:
    """Make a folder in which every name that Python may look for leaves a trace when it is run."""
    ran = folder / "ran"
    says = f"open({str(ran)!r}, 'a').write(__file__ + '\\n')\n"
    (folder / "lake").mkdir(parents=True)
    for name in PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(says)
    for name in MODULES:
        (folder / f"{name}.py").write_text(says)
    return folder


def _ran(folder: Path) -> str:
    ran = folder / "ran"
    return ran.read_text() if ran.exists() else ""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a wheel, installed into an environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_of_the_source(folder / "source")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build: list[str | Path] = [
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
        source,
    ]
    subprocess.run([*pip, *build], check=True)
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (wheel,) = folder.glob("*.whl")
    python = venv / "bin" / "python"
    install: list[str | Path] = ["--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*pip, *install], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(f"{LIBRARIES}\n")
    return venv / "bin" / "goldpan"


def _commands(wheel: Path) -> dict[str, tuple[list[str], Mapping[str, str]]]:
    """Return the ways to call goldpan, with the variables that each needs."""
    checkout = {"PYTHONPATH": str(ROOT)}
    plain = {"PYTHONPATH": ""}
    python = str(wheel.with_name("python"))
    return {
        "wheel": ([str(wheel)], plain),
        "wheel -P -m": ([python, "-P", "-m", "goldpan"], plain),
        "checkout": ([str(SCRIPT)], checkout),
        "checkout -P -m": ([sys.executable, "-P", "-m", "goldpan"], checkout),
    }


def _leaves(member: CatalogEntry, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(member, CommandEntry):
        yield path
        return
    for name, inner in member.members.items():
        yield from _leaves(inner, (*path, name))


LEAVES = sorted(_leaves(COMMANDS))

EVERY = """
import sys
from goldpan.cli import main
assert main.__module__ == "goldpan.cli.main"
from goldpan.cli.main import run_command as run
for line in sys.argv[1:]:
    code = run([*line.split(), "--help"])
    assert code == 0, line
"""


def _run(
    command: list[str], args: list[str], folder: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *args],
        cwd=folder,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("way", short(["wheel", "checkout"], ["wheel"]))
def test_every_command_is_loaded_from_goldpan(way: str, wheel: Path, tmp_path: Path) -> None:
    """Wherever it is called from, a command and all that it imports are goldpan's own."""
    folder = _trap(tmp_path / "here")
    _, env = _commands(wheel)[way]
    python = str(wheel.with_name("python")) if way == "wheel" else sys.executable
    lines = [" ".join(leaf) for leaf in LEAVES]
    done = _run([python, "-P", "-c", EVERY], lines, folder, env)
    assert done.returncode == 0, done.stderr
    assert _ran(folder) == ""


WAYS = ("wheel", "wheel -P -m", "checkout", "checkout -P -m")
LOOKS = [
    (["--version"], 0),
    (["lake", "init"], 0),
    (["lake", "verify"], 0),
    (["release", "list"], 0),
]


@pytest.mark.parametrize("way", short(WAYS, ["wheel", "checkout -P -m"]))
def test_commands_work_in_a_folder_of_such_names(way: str, wheel: Path, tmp_path: Path) -> None:
    """A lake at ``./lake``, beside somebody's ``labels.py``, is a lake like any other."""
    folder = _trap(tmp_path / "here")
    command, env = _commands(wheel)[way]
    for args, code in LOOKS if way in {"wheel", "checkout"} else LOOKS[:2]:
        done = _run(command, args, folder, {**settings("none:1", "./lake"), **env})
        assert (done.returncode, _ran(folder)) == (code, ""), done.stderr
        assert done.stderr == ""


def _two_workers(command: list[str], folder: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """Run two workers until both have started; return their exit code and what they said."""
    said = folder / "said"
    with said.open("wb") as err:
        process = subprocess.Popen(
            [*command, "stream", "run", "--workers", "2"],
            cwd=folder,
            env=environment(env),
            stderr=err,
            stdout=subprocess.DEVNULL,
        )
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and said.read_text().count("worker_started") < 2:
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    return process.wait(SECONDS), said.read_text()


@pytest.mark.chaos
@pytest.mark.parametrize("way", ["wheel", "checkout"])
def test_the_processes_of_a_command_do_not_run_the_folder_either(
    way: str, wheel: Path, tmp_path: Path
) -> None:
    """Workers, and processes that redact, are goldpan as well: nothing of the folder is run."""
    folder = _trap(tmp_path / "here")
    command, more = _commands(wheel)[way]
    traces = make_traces(load_shipped_conversations()[0], started_at=1_790_000_000_000_000)
    kafka = MockKafka()
    kafka.produce("llm.traces", [(trace["trace_id"], encode_json(trace)) for trace in traces])
    kafka.produce("llm.feedback", [])
    env = {**settings(kafka, "./lake", labels__policy="off"), **more}
    code, said = _two_workers(command, folder, env)
    kafka.close()
    assert (code, _ran(folder)) == (0, ""), said
    (folder / "traces.jsonl").write_bytes(b"".join(encode_json(t) + b"\n" for t in traces))
    redacted = _run(command, ["redact", "--workers", "2", "traces.jsonl"], folder, env)
    assert (redacted.returncode, _ran(folder)) == (0, ""), redacted.stderr
    assert len(redacted.stdout.splitlines()) == len(traces)


@pytest.mark.parametrize("name", ["schemas/__init__.py", "labels.py"])
def test_a_package_that_stands_for_ours_is_refused(name: str, tmp_path: Path) -> None:
    """Where somebody asks Python to look in a folder first, goldpan says which name is taken."""
    other = tmp_path / "other"
    (other / name).parent.mkdir(parents=True)
    (other / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    env = {"PYTHONPATH": os.pathsep.join((str(other), str(ROOT)))}
    done = _run([str(SCRIPT)], ["--version"], tmp_path, env)
    room = name.partition("/")[0].removesuffix(".py")
    place = other / name if name == "labels.py" else other / room
    assert done.returncode == 2
    assert done.stderr.startswith(f"goldpan: `{room}` would be imported from {place}, which")
    assert done.stderr.count("\n") == 1
    assert _ran(tmp_path) == ""


@pytest.mark.parametrize("missing", [True, False])
def test_a_folder_without_a_file_can_hide_a_package(
    missing: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lake's folder is a package to Python; what it hides, or what is not there, is named."""
    spec = ModuleSpec("lake", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path / "lake")]

    def find(name: str) -> ModuleSpec | None:
        return find_spec(name) if name != "lake" else None if missing else spec

    with pytest.raises(SystemExit) as ended:
        refuse_foreign_packages(find)
    said = (
        "the package `lake` is missing"
        if missing
        else f"`lake` would be imported from {tmp_path / 'lake'},"
    )
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"goldpan: {said}")


def test_goldpan_called_as_a_module_leaves_the_folder_out(wheel: Path, tmp_path: Path) -> None:
    """``python -m goldpan`` looks in the folder for nothing but goldpan itself."""
    folder = _trap(tmp_path / "here")
    (folder / "random.py").unlink()
    python = str(wheel.with_name("python"))
    done = _run([python, "-m", "goldpan"], ["lake", "init"], folder, settings("none:1", "./lake"))
    assert (done.returncode, _ran(folder)) == (0, ""), done.stderr


def test_a_checkout_that_is_not_installed_starts_workers_of_its_own(tmp_path: Path) -> None:
    """``python -m goldpan`` in a checkout: the workers are that goldpan, not an installed one."""
    program = "from goldpan import child_process; import os\n"
    program += "print(child_process.child_environment(os.environ).get('PYTHONPATH'))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[0] = {str(ROOT)!r}\n{program}"],
        cwd=ROOT,
        env=environment({"PYTHONPATH": str(tmp_path)}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == os.pathsep.join((str(ROOT), str(tmp_path)))


def _names_python(source: str) -> bool:
    # Few files have the word: to parse all of them takes seconds.
    return "executable" in source and any(
        isinstance(node, ast.Attribute) and node.attr == "executable"
        for node in ast.walk(ast.parse(source))
    )


def test_one_module_names_the_python_that_runs() -> None:
    """Whatever starts a process of goldpan does it through `goldpan.child_process`."""
    naming = {file.as_posix() for file in room_files() if _names_python((ROOT / file).read_text())}
    assert naming == {"goldpan/child_process.py", "goldpan/cli/demo.py"}
