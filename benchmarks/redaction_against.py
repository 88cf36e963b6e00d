"""Measures what redaction costs against an earlier version, in turns.

    python -m benchmarks.redaction_against CHECKOUT [--rounds 3] [--records 2500]

CHECKOUT is a folder with that version (`git worktree add --detach FOLDER COMMIT`). In each round
either version runs in a process of its own. Measured are the CPU-seconds per million records of
1.8 kB that redaction and its audit add, after a thousand records as warm-up: expressions compile
when a text first needs them. The result is the median of the rounds.
"""

import gc
import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Final

import click

from benchmarks import redaction

CASES: Final = tuple((kind, model) for kind in ("alike", "varied") for model in ("none", "shipped"))
_WARM_UP: Final = 1_000
_PORTION: Final = 500
_COLLECTOR_THRESHOLD: Final = 50_000
"""That of the worker, in both versions."""
_THIS_VERSION: Final = Path(__file__).parents[1]


def added_seconds(kind: str, model: str, records: int) -> float:
    """Return the CPU-seconds per million records of the version that the process has loaded."""
    modules = vars(redaction)  # the other version need not have the same names in its modules
    redactor = modules["PolicyRedactor"](redaction.policy(model), redaction.KEYS, audit=True)
    traffic = redaction.endless(alike=kind == "alike")
    for batch in redaction.batches(list(islice(traffic, _WARM_UP))):
        redaction.audited(redactor, batch)
    seconds = 0.0
    for _ in range(0, records, _PORTION):
        work = redaction.batches(list(islice(traffic, _PORTION)))
        seconds += modules["_added"](redactor, work)
    return seconds / records * 1e6


def measure(checkout: Path, records: int) -> list[float]:
    """Return the figures of a version, in the order of ``CASES``."""
    command = [sys.executable, "-P", __file__, "--records", str(records), "--here", str(checkout)]
    env = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(command, env=env, cwd=checkout, capture_output=True, check=True)
    figures: list[float] = json.loads(done.stdout)
    return figures


@click.command()
@click.argument("checkout", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--rounds", default=3, show_default=True)
@click.option("--records", default=2_500, show_default=True, help="Records of each case.")
@click.option("--here", is_flag=True, hidden=True, help="Measure the loaded version, as JSON.")
def main(checkout: Path, rounds: int, records: int, *, here: bool) -> None:
    """Print the second table of costs of docs/redaction.md."""
    if here:
        gc.freeze()
        gc.set_threshold(_COLLECTOR_THRESHOLD)
        click.echo(json.dumps([added_seconds(*case, records) for case in CASES]))
        return
    versions = (checkout.resolve(), _THIS_VERSION)
    figures: list[list[list[float]]] = [[], []]
    for _ in range(rounds):
        for version, so_far in zip(versions, figures, strict=True):
            so_far.append(measure(version, records))
    for index, (kind, model) in enumerate(CASES):
        before, now = (median(measured[index] for measured in so_far) for so_far in figures)
        click.echo(
            f"{kind:6} model {model:8} {before:6.0f} {now:6.0f} CPU-s a million, "
            f"{now / before:.2f} times"
        )


if __name__ == "__main__":
    main()
