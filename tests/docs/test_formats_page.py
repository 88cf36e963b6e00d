"""The benchmark behind `docs/formats.md` runs, and prints the table that the page has."""

import subprocess
import sys

from tests.architecture.source import ROOT
from tests.docs.pages import read_page


def test_the_command_prints_the_table_of_the_page() -> None:
    """With few traces, the same forms and headings, and Parquet reads least in every query."""
    command = [sys.executable, "-m", "benchmarks.formats", "--traces", "900", "--days", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    page = [line.split(" | ") for line in read_page("docs/formats.md").splitlines()]
    assert printed[0] in page
    assert {row[0] for row in printed} <= {row[0] for row in page}
    by_query = zip(*(row[2:5] for row in printed[1:]), strict=True)
    for cells in by_query:
        read = [float(cell.split(", ")[1].split()[0]) for cell in cells]
        assert min(read) == read[-1]
