"""Output that is closed, full or narrow: the exit code is the answer's, and nothing is cut."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich import box
from rich.table import Table

from goldpan.cli.plain_console import PlainConsole
from goldpan.cli.quarantine import show_groups
from tests.servers.worker import environment
from tests.short_versions import short


def _goldpan(lake: Path, words: str, streams: str) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m goldpan {words} {streams}"
    settings = environment({"GOLDPAN_LAKE__URI": str(lake)})
    return subprocess.run(
        ["/bin/sh", "-c", command], env=settings, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def silently_made_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with empty tables, made while nobody listens at all."""
    folder = tmp_path_factory.mktemp("lake")
    assert _goldpan(folder, "lake init", "<&- >&- 2>&-").returncode == 0
    assert (folder / "traces" / "_delta_log").is_dir()
    return folder


@pytest.mark.parametrize(
    ("words", "code"),
    [("lake verify", 0), ("lake verify --json", 0), ("--version", 0), ("lake verify --no", 2)],
)
@pytest.mark.parametrize("streams", short([">&-", ">&- 2>&-", "<&- >&- 2>&-"], ["<&- >&- 2>&-"]))
def test_closed_output_changes_no_answer(
    silently_made_lake: Path, words: str, code: int, streams: str
) -> None:
    """1 means no; a command whose output is closed says what it would say to /dev/null."""
    assert _goldpan(silently_made_lake, words, streams).returncode == code


@pytest.mark.parametrize("words", ["lake verify", "lake verify --json", "--version"])
def test_a_full_disk_is_told(silently_made_lake: Path, words: str) -> None:
    """What cannot be written is a failure (3), in one sentence, and no fault to report."""
    done = _goldpan(silently_made_lake, words, "> /dev/full")
    assert done.returncode == 3
    assert "cannot be written: No space left on device" in done.stderr
    assert "report it" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("columns", short(["0", "1", "80", "x", "-5"], ["1", "x"]))
def test_any_width_shows_all(silently_made_lake: Path, columns: str) -> None:
    """At no width is the answer left out, or a name cut."""
    done = subprocess.run(
        [sys.executable, "-m", "goldpan", "lake", "verify"],
        env=environment({"GOLDPAN_LAKE__URI": str(silently_made_lake), "COLUMNS": columns}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the lake is empty: no partition has been read yet" in " ".join(done.stdout.split())


def test_the_time_of_what_was_set_aside_is_not_broken() -> None:
    """At 80 columns a long reason and topic leave room for both halves of it."""
    out = io.StringIO()
    last = "2026-11-30T06:47:12+00:00"
    group = {"topic": "llm.feedback", "reason": "unknown_format", "field": None, "records": 12}
    show_groups(PlainConsole(file=out, width=80), [group | {"last": last}])
    assert "06:47:12" in out.getvalue()
    assert "2026-11-30" in out.getvalue()


@pytest.mark.parametrize("width", [20, 40, 80])
def test_what_names_a_row_is_not_cut(width: int) -> None:
    """The first column and numbers stand whole in one line; other texts are folded."""
    out = io.StringIO()
    table = Table("topic", "records", "detail", "of", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"
    topic, number, detail = "llm.traces.of.a.department", "1 234 567 890", "x" * 60
    table.add_row(topic, number, detail, "many words that can be folded")
    console = PlainConsole(file=out, width=width)
    console.print(table)
    lines = out.getvalue().splitlines()
    assert any(topic in line and number in line for line in lines)
    assert out.getvalue().count("x") == len(detail)
    assert "…" not in out.getvalue()
    assert console.width == width
