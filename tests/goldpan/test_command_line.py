"""The command line: help, exit codes, one sentence per error, and a quick start."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from goldpan.cli.commands import COMMANDS, CommandEntry, GroupEntry
from goldpan.cli.lazy import load_command
from goldpan.cli.main import describe_failure, run_command
from lake.table_layouts import TABLE_LAYOUTS
from schemas.errors import FatalError, RetryableError, UsageError
from tests.servers.worker import TEST_KEY, environment, run_goldpan

HEAVY = {"pyarrow", "deltalake", "boto3", "spacy", "presidio_analyzer", "confluent_kafka", "numpy"}


def _commands(
    group: GroupEntry, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], CommandEntry]]:
    for name, member in group.members.items():
        if isinstance(member, CommandEntry):
            yield (*path, name), member
        else:
            yield from _commands(member, (*path, name))


ALL = list(_commands(COMMANDS))


@pytest.fixture(scope="module")
def command_line_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with empty tables."""
    folder = tmp_path_factory.mktemp("lake")
    assert run_goldpan({"GOLDPAN_LAKE__URI": str(folder)}, "lake", "init").returncode == 0
    return folder


def test_help_loads_nothing_heavy() -> None:
    """``goldpan --help`` answers at once: the libraries behind the commands stay unloaded."""
    program = (
        "import sys; from goldpan.cli.main import run_command as run; "
        "codes = [run(['--help']), run(['stream', '--help'])]; "
        "print(sorted({m.partition('.')[0] for m in sys.modules}), codes, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.replace("'", "").strip("[]\n").split(", "))
    assert "click" in loaded
    assert not HEAVY & loaded


@pytest.mark.parametrize(("path", "entry"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_explains_itself(path: tuple[str, ...], entry: CommandEntry) -> None:
    """Each has a help with its summary's words, an example that calls it, and ``--json``."""
    command = load_command(entry, path[-1])
    text = command.get_help(click.Context(command, info_name=" ".join(("goldpan", *path))))
    assert "Example:" in text
    assert f"goldpan {' '.join(path)}" in text.partition("Example:")[2]
    assert "--json" in text
    assert "--config" in text


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--version"], 0, ""),
        (["foo"], 2, "goldpan: No such command 'foo'"),
        (["lake"], 2, "Usage: goldpan lake"),
        (["lake", "verify", "--dep"], 2, "goldpan: No such option '--dep'"),
        (["stream", "run", "--within", "5"], 2, "goldpan: --within is the time limit of"),
        (["stream", "run", "--workers", "0"], 2, "goldpan: Invalid value for '--workers'"),
        (["lake", "init", "--config", "/no/such.toml"], 2, "cannot be read: No such file"),
    ],
)
def test_wrong_use_gives_one_sentence(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong with the command line is told on standard error, with exit code 2."""
    assert run_command(arguments) == code
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("u"), 2),
        (FatalError("f"), 3),
        (RetryableError("r"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_code_follows_the_kind_of_error(error: BaseException, code: int) -> None:
    """2 is for wrong use and 3 for failure, whatever command it was."""
    assert describe_failure(error)[1] == code


def test_unforeseen_error_keeps_its_text_to_itself() -> None:
    """The text of an exception of unknown origin may hold a record; type and place do not."""
    try:
        int("mia.li@example.com")
    except ValueError as error:
        sentence, code = describe_failure(error)
    assert code == 3
    assert "mia.li" not in sentence
    assert "ValueError at goldpan/test_command_line.py:" in sentence


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({}, "No redaction key is set"),
        ({"GOLDPAN_REDACT__KEY": "c2hvcnQ="}, "must be base64 of 32 bytes"),
        ({"GOLDPAN_REDACT__KEY": TEST_KEY, "GOLDPAN_REDACT__POLICY": "strickt"}, "strickt"),
        ({"GOLDPAN_REDACT__KEY": TEST_KEY, "GOLDPAN_KAFKA__SCHEMAS_DIR": "/no/where"}, "no/where"),
    ],
)
def test_worker_refuses_wrong_settings(tmp_path: Path, extra: dict[str, str], told: str) -> None:
    """The worker says in one sentence what is wrong, before it connects to anything."""
    done = run_goldpan({"GOLDPAN_LAKE__URI": str(tmp_path / "lake"), **extra}, "stream", "run")
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "lake").exists()


def test_several_workers_tell_a_wrong_setting_once(tmp_path: Path) -> None:
    """``--workers N`` checks the settings before it starts the workers."""
    env = {"GOLDPAN_LAKE__URI": str(tmp_path / "lake")}
    done = run_goldpan(env, "stream", "run", "--workers", "3")
    assert done.returncode == 2
    assert done.stderr.count("No redaction key is set") == 1


def test_lake_commands_answer_in_json(command_line_lake: Path) -> None:
    """With ``--json``, standard output is one JSON document."""
    env = {"GOLDPAN_LAKE__URI": str(command_line_lake)}
    init = json.loads(run_goldpan(env, "lake", "init", "--json").stdout)
    tables = json.loads(run_goldpan(env, "lake", "tables", "--json").stdout)
    verify = json.loads(run_goldpan(env, "lake", "verify", "--json").stdout)
    listed = json.loads(run_goldpan(env, "quarantine", "list", "--json").stdout)
    shown = json.loads(run_goldpan(env, "quarantine", "show", "--json").stdout)
    assert init == {"uri": str(command_line_lake), "made": []}
    names = [table["name"] for table in tables["tables"]]
    assert names == list(TABLE_LAYOUTS)
    assert (verify["ok"], verify["partitions"], verify["problems"]) == (True, [], [])
    assert verify["versions"] == dict.fromkeys(names, 0)
    assert (listed, shown) == ({"groups": []}, {"records": [], "more": 0})


def test_a_lake_that_is_not_there_fails(tmp_path: Path) -> None:
    """Reading a lake that does not exist is a failure that names the place, not an empty answer."""
    done = run_goldpan({"GOLDPAN_LAKE__URI": str(tmp_path / "none")}, "lake", "verify", "--json")
    assert done.returncode == 3
    assert done.stdout == ""
    assert str(tmp_path / "none") in done.stderr


def test_reader_that_goes_away_is_no_error(command_line_lake: Path) -> None:
    """``goldpan lake tables | head -0`` ends quietly."""
    with subprocess.Popen(
        [sys.executable, "-m", "goldpan", "lake", "tables"],
        env=environment({"GOLDPAN_LAKE__URI": str(command_line_lake)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


AS_MAIN = """
import os, signal, sys, time
from goldpan.cli import main
sys.argv = ["goldpan", *{arguments}]
def run(arguments):
    {instead}
    return 0
sys.modules["goldpan.cli.main"].run_command = run
main()
"""


def ends(arguments: list[str], instead: str) -> tuple[int, str]:
    """Return the exit code and the errors of a process in which a command is something else."""
    script = AS_MAIN.format(arguments=arguments, instead=instead)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stderr


TOLD_TO_STOP = "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)"


def test_a_worker_told_to_stop_while_it_is_loaded_ends_well() -> None:
    """Nothing was read, so nothing is left to do; whoever started it sees no failure."""
    code, errors = ends(["stream", "run"], TOLD_TO_STOP)
    assert (code, errors) == (0, "goldpan: stopped before anything was read\n")


def test_another_command_told_to_stop_has_not_done_its_work() -> None:
    """A check that was stopped is not a check that passed."""
    assert ends(["lake", "verify"], TOLD_TO_STOP)[0] == -signal.SIGTERM


def test_the_end_does_not_wait_for_the_pools_of_libraries() -> None:
    """Where tables were read the process ends at once: their threads may abort an ordinary exit."""
    late = "import atexit; atexit.register(print, 'ordinary exit', file=sys.stderr)"
    assert ends(["lake", "tables"], late) == (0, "ordinary exit\n")
    assert ends(["lake", "tables"], f"{late}; import deltalake") == (0, "")
