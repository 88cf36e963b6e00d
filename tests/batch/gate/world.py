"""A published release for gates: questions in conversations, with the documents that were right."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from batch.release.format.files import DATA
from batch.release.format.reader import read_release_rows
from batch.release.publish.build import draft_release, publish_draft
from batch.release.publish.reference import parse_reference
from batch.release.publish.repository import ReleaseRepository, ReleaseVersion
from batch.release.sampling.expectations import read_expected_documents
from lake.snapshot import open_snapshot
from schemas.records import Message, Trace
from tests.batch.kit import new_lake
from tests.batch.release.kit import OPTIONS, open_repository, spec
from tests.batch.release.people import WHOLE

STARTED: Final = 1_794_600_000_000_000  # 2026-11-13
ROWS: Final = 300
DOCUMENT: Final = "opening-hours"
SPEC: Final[dict[str, Any]] = {
    **WHOLE,
    "size": ROWS,
    "expected_documents": {"file": "documents.jsonl"},
}


def trace_id(number: int) -> str:
    """Return the trace id of a row; they sort by number."""
    return f"t{number:04}"


def session_of(number: int) -> int:
    """Return the conversation of a row: they have one row to four, in turn."""
    block, place = divmod(number, 10)
    return 4 * block + (0 if place < 1 else 1 if place < 3 else 2 if place < 6 else 3)


def publish_release(folder: Path, rows: int = ROWS) -> ReleaseRepository:
    """Make a lake with traces, and publish a release of all of them as ``support@1.0.0``."""
    lake = new_lake(
        folder / "lake",
        [
            Trace(
                trace_id=trace_id(number),
                session_id=f"s{session_of(number)}",
                app="support" if session_of(number) % 2 else "sales",
                started_at=STARTED + number,
                status="ok",
                messages=[Message(role="user", content=f"When do you open on day {number}?")],
                response="At nine.",
                segments={"plan": "pro" if number % 3 else "free"},
            )
            for number in range(rows)
        ],
    )
    lines = (
        json.dumps({"trace_id": trace_id(number), "documents": [DOCUMENT]}) + "\n"
        for number in range(rows)
    )
    (folder / "documents.jsonl").write_text("".join(lines), encoding="utf-8")
    asked = spec(**SPEC | {"size": rows})
    documents = read_expected_documents(asked, folder)
    assert documents is not None
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    draft = draft_release(asked, traces, labels, replace(OPTIONS, expectations=[documents]))
    releases = open_repository(folder / "lake" / "releases")
    publish_draft(draft, releases)
    return releases


def find_release(releases: ReleaseRepository) -> tuple[ReleaseVersion, Any]:
    """Return the release and its rows."""
    version = releases.find(parse_reference("support@1"))
    return version, read_release_rows(releases.read(version, DATA))


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def outputs(rows: int = ROWS, **changes: Any) -> list[dict[str, Any]]:
    """Return outputs of a candidate that is fast, cheap and finds the right document.

    ``changes`` are by field; a function of the number of the row, or a value.
    """
    fields: dict[str, Any] = {
        "response": "At nine.",
        "retrieved": [{"document_id": DOCUMENT}],
        "latency_ms": lambda number: 900 + number % 7 * 100,
        "cost_usd": lambda number: 0.04 + number % 5 * 0.002,
    }
    return [
        {"row": trace_id(number)}
        | {
            name: value(number) if callable(value) else value
            for name, value in (fields | changes).items()
        }
        for number in range(rows)
    ]


def verdicts(
    metric: str, *, every: int, rows: int = ROWS, side: str = "candidate"
) -> list[dict[str, Any]]:
    """Return verdicts of which one in ``every`` rows is a fail."""
    return [
        {
            "row": trace_id(number),
            "side": side,
            "metric": metric,
            "outcome": "fail" if number % every == 0 else "pass",
        }
        for number in range(rows)
    ]
