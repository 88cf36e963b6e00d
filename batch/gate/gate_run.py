"""A run of a gate, kept: what was decided, on what, and by which look.

It holds no text that can be read without the release, and no id. Rows are there as marks
(`batch.gate.side_readings.GateRow`), and answers are sealed (`batch.gate.kept_answers`). So an
erasure, which destroys the salt of the release's row, leaves nothing of a person in a run.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from batch.gate.side_readings import GateRow
from judges.definition import digest_of
from judges.gate.decision import GateDecision
from judges.gate.definition import GateDefinition
from judges.gate.kept_decision import read_decision
from judges.gate.readings import (
    CANDIDATE,
    READING_STATES,
    GateRows,
    GateSide,
    ReadingState,
    RowReading,
)
from schemas.errors import FatalError

RUN_FORMAT: Final = 1
REVIEWED: Final = " reviewed"
"""What follows the name of a metric for what reviewers say of it."""
_SCHEMA: Final = pa.schema(
    [
        pa.field("mark", pa.string(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("reads", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
    ]
)
_PASSING: Final = ("pending", "error")
"""States that a later look may replace."""

KeptReadings = Mapping[tuple[GateSide, str], Mapping[str, RowReading]]
"""What a run read, by side and name of what is read, then by the mark of the row."""


class RunInputs(NamedTuple):
    """Everything that decides a run, by digests (SHA-256, hex digits); None where there is none.

    ``release`` is its name and version. ``baseline`` is the name of a kept run, or the digest of a
    file.
    """

    gate: str
    gate_digest: str
    release: str
    release_digest: str
    candidate: str | None
    baseline: str | None
    verdicts: str | None
    reviews: str | None

    @property
    def digest(self) -> str:
        """Return the digest of all of it."""
        return digest_of(list(self))

    @property
    def series(self) -> str | None:
        """Return what the looks at one candidate have in common; None without its outputs."""
        if self.candidate is None:
            return None
        return digest_of([self.release_digest, self.candidate])[:12]


@dataclass(frozen=True, slots=True)
class GateRun:
    """A run: its inputs, the gate, the decision, and what was read.

    ``answers`` is the file of sealed answers, None where none are kept; ``answer_counts`` says how
    many were sealed of each side. ``judge_cards`` and ``failure_modes`` are JSON
    (`batch.gate.judge_cards`, `batch.gate.failure_modes`).
    """

    inputs: RunInputs
    definition: GateDefinition
    decision: GateDecision
    judges: Mapping[GateSide, Mapping[str, str]]
    readings: bytes
    row_count: int
    answers: bytes | None = None
    answer_counts: Mapping[GateSide, int] = field(default_factory=dict)
    judge_cards: Sequence[Mapping[str, Any]] = ()
    failure_modes: Sequence[Mapping[str, Any]] = ()

    def to_json(self, name: str) -> dict[str, Any]:
        """Return the run as JSON, under the name that it is kept by."""
        return {
            "format": RUN_FORMAT,
            "run": name,
            "digest": self.inputs.digest,
            "inputs": self.inputs._asdict(),
            "gate": self.definition.model_dump(mode="json", exclude={"candidate", "baseline"}),
            "claim": self.definition.claim,
            "about": self.definition.about,
            "rows": self.row_count,
            "judges": {side: dict(names) for side, names in self.judges.items()},
            "answers": dict(self.answer_counts),
            "judge_cards": list(self.judge_cards),
            "failure_modes": list(self.failure_modes),
            **self.decision.to_json(),
        }


class KeptRun(NamedTuple):
    """A run that was kept: its name, ``run.json``, and what it read.

    It is not complete if its program was killed while it was kept; it still counts as a look.
    """

    name: str
    document: Mapping[str, Any]
    readings: KeptReadings
    is_complete: bool = True

    @property
    def digest(self) -> str:
        """Return the digest of its inputs."""
        return str(self.document["digest"])

    @property
    def candidate_readings(self) -> dict[str, Mapping[str, RowReading]]:
        """Return what was read of its candidate, by what is read, then by mark."""
        return {name: rows for (side, name), rows in self.readings.items() if side == CANDIDATE}

    def contradicted(self, readings: KeptReadings, baseline: str | None) -> int:
        """Return how many of the candidate's verdicts and reviews are others now, or are gone.

        Of the same baseline its reviews too, since these could be repeated as well. Errors and rows
        that were pending may have got a verdict since. Rows that were erased from the release are
        gone with their marks, and are not counted.
        """
        same_baseline = self.document["inputs"]["baseline"] == baseline
        present = {mark for rows in readings.values() for mark in rows}
        changed = 0
        for (side, name), rows in self.readings.items():
            if side != CANDIDATE and not (same_baseline and name.endswith(REVIEWED)):
                continue
            now = readings.get((side, name), {})
            changed += sum(
                reading.state not in _PASSING and mark in present and now.get(mark) != reading
                for mark, reading in rows.items()
            )
        return changed


def encode_readings(rows: Sequence[GateRow], read: GateRows, names: Iterable[str]) -> bytes:
    """Return what was read of some names as Parquet: by side, name and row, then the reviews."""
    columns: dict[str, list[Any]] = {field: [] for field in _SCHEMA.names}
    listed = sorted(range(len(rows)), key=lambda at: rows[at].mark)
    sides: tuple[GateSide, ...] = ("baseline", "candidate")
    for side in sides:
        for name in sorted(names):
            held = read.side(side).get(name)
            if held is None:
                continue
            for at in listed:
                state = str(held.states[at])
                columns["mark"].append(rows[at].mark)
                columns["side"].append(side)
                columns["reads"].append(name)
                columns["state"].append(state)
                columns["value"].append(float(held.values[at]) if state == "value" else None)
    for side in sides:
        for name in sorted(names):
            reviews = read.reviews_of(side, name)
            for review in sorted(reviews, key=lambda each: rows[each.at].mark):
                columns["mark"].append(rows[review.at].mark)
                columns["side"].append(side)
                columns["reads"].append(f"{name}{REVIEWED}")
                columns["state"].append("pass" if review.is_good else "fail")
                columns["value"].append(None)
    sink = BytesIO()
    pq.write_table(pa.table(columns, schema=_SCHEMA), sink, compression="zstd")
    return sink.getvalue()


def decode_readings(data: bytes, path: str) -> KeptReadings:
    """Return what a run read. Raises FatalError if the file is damaged."""
    try:
        table = pq.read_table(pa.BufferReader(data)).cast(_SCHEMA)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FatalError(f"{path} cannot be read ({type(error).__name__})") from None
    found: dict[tuple[GateSide, str], dict[str, RowReading]] = {}
    for row in table.to_pylist():
        side: GateSide = "candidate" if row["side"] == CANDIDATE else "baseline"
        state: ReadingState = READING_STATES[READING_STATES.index(row["state"])]
        found.setdefault((side, row["reads"]), {})[row["mark"]] = RowReading(state, row["value"])
    return found


def parse_run(name: str, document: bytes, readings: bytes | None) -> KeptRun:
    """Return a kept run from its files. Raises FatalError if they are damaged."""
    parsed: Any = None
    with contextlib.suppress(ValueError):
        parsed = json.loads(document)
    if not isinstance(parsed, dict) or parsed.get("format") != RUN_FORMAT:
        raise FatalError(
            f"evaluations/{name}/run.json is not a run of a gate: restore it, or remove that folder"
        )
    if readings is None:
        return KeptRun(name, parsed, {}, is_complete=False)
    return KeptRun(name, parsed, decode_readings(readings, f"evaluations/{name}/readings.parquet"))


def parse_gate_run(
    name: str, document: Mapping[str, Any], readings: bytes, answers: bytes | None
) -> GateRun:
    """Return the run that was kept as ``run.json`` and two files. FatalError if it is damaged.

    What runs of earlier versions of goldpan lack is empty.
    """
    try:
        return GateRun(
            inputs=RunInputs(**document["inputs"]),
            definition=GateDefinition.model_validate(document["gate"]),
            decision=read_decision(document),
            judges=document["judges"],
            readings=readings,
            row_count=document["rows"],
            answers=answers,
            answer_counts=document.get("answers", {}),
            judge_cards=tuple(document.get("judge_cards", ())),
            failure_modes=tuple(document.get("failure_modes", ())),
        )
    except (KeyError, TypeError, ValueError):
        raise FatalError(
            f"evaluations/{name}/run.json is not a run that this goldpan can read"
        ) from None
