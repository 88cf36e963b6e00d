"""Writes the page ``docs/metrics.md``: ``python -m stream.metrics_docs docs/metrics.md``."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from stream.metrics import WORKER_METRICS, MetricSpec
from stream.replay.metrics import REPLAY_METRICS as REPLAY_SPECS


def render_page() -> str:
    """Return the page as Markdown."""
    return "\n".join([*_head(), *_table(WORKER_METRICS), "", *_buckets(), "", *_replay(), ""])


def _head() -> Iterator[str]:
    yield from (
        "# Metrics",
        "",
        "Written by `python -m stream.metrics_docs docs/metrics.md` from the list in "
        "`stream/metrics.py`; a test holds it equal to it, and to what a running worker shows.",
        "",
        "Each worker process serves them on `GOLDPAN_METRICS__PORT` under `/metrics`, beside "
        "`/livez` (the loop turns) and `/readyz` (positions are taken and the lake answers).",
        "",
    )


def _replay() -> Iterator[str]:
    yield from (
        "## While a replay runs",
        "",
        "`goldpan stream replay` serves these, from the list in `stream/replay/metrics.py`, if "
        "`GOLDPAN_METRICS__PORT` is set for it: to another port than that of a worker beside it.",
        "",
        *_table(REPLAY_SPECS),
    )


def _table(specs: Sequence[MetricSpec]) -> Iterator[str]:
    yield "| metric | kind | labels | what it says |"
    yield "|---|---|---|---|"
    yield from map(_row, specs)


def _row(spec: MetricSpec) -> str:
    labels = ", ".join(f"`{label}`" for label in spec.labels) or "none"
    return f"| `{spec.name}` | {spec.kind} | {labels} | {spec.meaning} |"


def _buckets() -> Iterator[str]:
    for spec in WORKER_METRICS:
        if spec.buckets:
            bounds = ", ".join(f"{bound:g}" for bound in spec.buckets)
            yield f"Buckets of `{spec.name}`, in seconds: {bounds}."


def main() -> None:
    """Write the page to the file that is named."""
    Path(sys.argv[1]).write_text(render_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
