"""Measures what redaction costs against an earlier version, in turns.

    python -m benchmarks.redaction_against CHECKOUT [--rounds 3] [--compiled FOLDER]

CHECKOUT is a folder with that version (`git worktree add --detach FOLDER COMMIT`). In each round
either version runs in a process of its own, and portions of records take turns, so that both meet
the same load of the machine. Measured are the CPU-seconds per million records of 1.8 kB that
redaction and its audit add, after a thousand records as warm-up: expressions compile when a text
first needs them. The results are medians of the rounds, of the costs and of their ratio.

FOLDER has a compiled build of this version: `make wheel`, then
`pip install --no-deps --target FOLDER dist/goldpan-*.whl`. Without it this version runs as pure
Python.
"""

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Final

import click

from benchmarks import redaction

CASES: Final = tuple((kind, model) for kind in ("alike", "varied") for model in ("none", "shipped"))
_WARM_UP: Final = 1_000
_PORTION: Final = 250
_COLLECTOR_THRESHOLD: Final = 50_000
"""That of the worker, in both versions."""
_THIS_VERSION: Final = Path(__file__).parents[1]


def added_seconds(kind: str, model: str, records: int) -> Iterator[float]:
    """Yield the CPU-seconds of each portion of the records, by the version that is loaded."""
    modules = vars(redaction)  # the other version need not have the same names in its modules
    redactor = modules["PolicyRedactor"](redaction.policy(model), redaction.KEYS, audit=True)
    traffic = redaction.endless(alike=kind == "alike")
    for batch in redaction.batches(list(islice(traffic, _WARM_UP))):
        redaction.audited(redactor, batch)
    for _ in range(0, records, _PORTION):
        yield modules["_added"](redactor, redaction.batches(list(islice(traffic, _PORTION))))


class _Version:
    """A version in a process of its own, which measures a portion whenever it is asked."""

    def __init__(self, checkout: Path, records: int, compiled: Path | None = None) -> None:
        path = [str(folder) for folder in (compiled, checkout) if folder is not None]
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, "--records", str(records), "--here", str(checkout)],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.build = self._line()

    def ask(self) -> float:
        """Return the CPU-seconds of the next portion."""
        print(file=self._process.stdin, flush=True)
        return float(self._line())

    def _line(self) -> str:
        if self._process.stdout is None:
            raise TypeError
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        """End the process."""
        self._process.communicate()


def serve(records: int) -> None:
    """Print the build, then measure one portion for each line of standard input."""
    build = sys.modules.get("redact.build")  # an earlier version has none
    click.echo("pure" if build is None else build.loaded_build())
    gc.freeze()
    gc.set_threshold(_COLLECTOR_THRESHOLD)
    for case in CASES:
        portions = added_seconds(*case, records)
        for _ in range(0, records, _PORTION):
            sys.stdin.readline()
            click.echo(next(portions))


def measure(checkout: Path, records: int, compiled: Path | None = None) -> list[tuple[float, ...]]:
    """Return the figures of both versions, in the order of ``CASES``; portions take turns."""
    versions = [_Version(checkout, records), _Version(_THIS_VERSION, records, compiled)]
    if (versions[1].build == "compiled") != (compiled is not None):
        raise click.UsageError(f"redaction is {versions[1].build} in {compiled}")
    figures = []
    for _ in CASES:
        portions = [[version.ask() for version in versions] for _ in range(0, records, _PORTION)]
        figures.append(tuple(sum(own) / records * 1e6 for own in zip(*portions, strict=True)))
    for version in versions:
        version.end()
    return figures


@click.command()
@click.argument("checkout", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--rounds", default=3, show_default=True)
@click.option("--records", default=2_500, show_default=True, help="Records of each case.")
@click.option("--compiled", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--here", is_flag=True, hidden=True, help="Measure the loaded version, as JSON.")
def main(checkout: Path, rounds: int, records: int, compiled: Path | None, *, here: bool) -> None:
    """Print the second table of costs of docs/redaction.md."""
    if here:
        serve(records)
        return
    measured = [measure(checkout.resolve(), records, compiled) for _ in range(rounds)]
    for (kind, model), rows in zip(CASES, zip(*measured, strict=True), strict=True):
        before, now = (median(own) for own in zip(*rows, strict=True))
        ratio = median(own / other for other, own in rows)
        click.echo(
            f"{kind:6} model {model:8} {before:6.0f} {now:6.0f} CPU-s a million, {ratio:.2f} times"
        )


if __name__ == "__main__":
    main()
