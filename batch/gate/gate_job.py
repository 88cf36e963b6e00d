"""Runs a gate: reads what there is of both sides, decides, and says what is to be kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from batch.gate.gate_lines import CandidateLine, ReviewLine, VerdictLine, digest_of_lines
from batch.gate.gate_run import GateRun, KeptRun, RunInputs, encode_readings
from batch.gate.release_rows import gate_rows
from batch.gate.run_store import GateRunStore, LookPlace
from batch.gate.side_readings import GateRow, SideFiles
from batch.gate.side_reviews import side_reviews
from batch.release.publish.repository import ReleaseVersion
from judges.definition import digest_of
from judges.gate.decision import decide_gate
from judges.gate.definition import GateDefinition
from judges.gate.metric_names import gate_metric
from judges.gate.readings import (
    BASELINE,
    CANDIDATE,
    GateRows,
    GateSide,
    RowReading,
)
from judges.weighted_rows import RowArrays, cluster_numbers
from schemas.errors import UsageError

SideSource: TypeAlias = Mapping[str, CandidateLine] | KeptRun | None
"""What a side is: its outputs by row, a kept run whose candidate it was, or nothing."""


@dataclass(frozen=True, slots=True)
class GateInputs:
    """What a gate is run on. A side is a kept run, or outputs; either side may be missing.

    ``judged`` is what judges say of the sides, by side, judge and row, and ``judge_names`` who they
    are, by side and judge.
    """

    candidate: SideSource = None
    baseline: SideSource = None
    verdicts: Mapping[tuple[str, str, str], VerdictLine] | None = None
    reviews: Mapping[tuple[str, str, str], ReviewLine] = field(default_factory=dict)
    judged: Mapping[GateSide, Mapping[str, Mapping[str, RowReading]]] = field(default_factory=dict)
    judge_names: Mapping[GateSide, Mapping[str, str]] = field(default_factory=dict)

    @property
    def candidate_digest(self) -> str | None:
        """Return what names the candidate: the digest of its outputs; None without them."""
        candidate = self.candidate
        if isinstance(candidate, KeptRun):
            return candidate.document["inputs"]["candidate"] or candidate.digest
        return _digest(candidate)

    @property
    def baseline_digest(self) -> str | None:
        """Return what names the baseline: a kept run, or the digest of its outputs."""
        baseline = self.baseline
        return baseline.name if isinstance(baseline, KeptRun) else _digest(baseline)

    def digests(self, definition: GateDefinition, release: ReleaseVersion) -> RunInputs:
        """Return the digests of everything that decides."""
        return RunInputs(
            gate=definition.gate,
            gate_digest=definition.digest,
            release=f"{release.name}@{release.version}",
            release_digest=release.digest,
            candidate=self.candidate_digest,
            baseline=self.baseline_digest,
            verdicts=self._verdicts_digest(),
            reviews=digest_of_lines(self.reviews) if self.reviews else None,
        )

    def _verdicts_digest(self) -> str | None:
        """Return the digest of all verdicts: those of files, and those of judges."""
        lines = None if self.verdicts is None else digest_of_lines(self.verdicts)
        if not self.judged:
            return lines
        return digest_of([lines, self.judged, self.judge_names])


class DecidedGate(NamedTuple):
    """A run with its place among the looks, its rows, and what was read of them."""

    place: LookPlace
    run: GateRun
    rows: Sequence[GateRow]
    read: GateRows


def run_gate(
    definition: GateDefinition,
    release: ReleaseVersion,
    table: pa.Table,
    inputs: GateInputs,
    store: GateRunStore,
) -> DecidedGate:
    """Return the run of a gate and its place among the looks; nothing is kept yet.

    ``table`` holds the rows of the release. Raises UsageError if files name rows that the release
    does not have, or if it is a repetition with fresh calls.
    """
    digests = inputs.digests(definition, release)
    rows, sides, read = read_gate(definition, release, table, inputs)
    names = {name for text in definition.require for name in gate_metric(text).reads}
    readings = encode_readings(rows, read, names)
    place = store.find_place(digests, readings)
    run = GateRun(
        inputs=digests,
        definition=definition,
        decision=decide_gate(definition, read, at_look=place.look),
        judges={side: files.judges() for side, files in sides.items()},
        readings=readings,
        row_count=len(rows),
    )
    return DecidedGate(place, run, rows, read)


def read_gate(
    definition: GateDefinition, release: ReleaseVersion, table: pa.Table, inputs: GateInputs
) -> tuple[list[GateRow], Mapping[GateSide, SideFiles], GateRows]:
    """Return the rows of a gate, what there is of both sides, and what it says of the rows.

    Raises UsageError as `run_gate` does.
    """
    rows = gate_rows(table, definition)
    _refuse_other_release(inputs, release)
    _refuse_strange_rows(inputs, set(table.column("trace_id").to_pylist()), release)
    sides = _sides(inputs)
    return rows, sides, _gate_rows(definition, rows, inputs, sides)


def _sides(inputs: GateInputs) -> dict[GateSide, SideFiles]:
    verdicts = list((inputs.verdicts or {}).values())
    sources: dict[GateSide, SideSource] = {
        CANDIDATE: inputs.candidate,
        BASELINE: inputs.baseline,
    }
    sides = {}
    for side, source in sources.items():
        run = source if isinstance(source, KeptRun) else None
        names = {} if run is None else run.document["judges"].get(CANDIDATE, {})
        sides[side] = SideFiles(
            side=side,
            outputs=None if isinstance(source, KeptRun) else source,
            verdicts=[each for each in verdicts if each.side == side],
            kept={} if run is None else run.candidate_readings,
            judged=inputs.judged.get(side, {}),
            judge_names={**names, **inputs.judge_names.get(side, {})},
        )
    return sides


def _gate_rows(
    definition: GateDefinition,
    rows: Sequence[GateRow],
    inputs: GateInputs,
    sides: Mapping[GateSide, SideFiles],
) -> GateRows:
    reviews = side_reviews(rows, inputs.reviews.values())
    by = () if definition.segments is None else definition.segments.by
    return GateRows(
        weights=RowArrays(
            np.array([row.weight for row in rows], float),
            cluster_numbers([row.cluster for row in rows]),
        ),
        candidate=sides[CANDIDATE].readings(rows),
        baseline=sides[BASELINE].readings(rows),
        segments={name: [row.segments[name] for row in rows] for name in by},
        judges={
            (side, name): judge
            for side, files in sides.items()
            for name, judge in files.judges().items()
        },
        reviews=reviews[CANDIDATE],
        baseline_reviews=reviews[BASELINE],
    )


def _refuse_other_release(inputs: GateInputs, release: ReleaseVersion) -> None:
    for source in (inputs.candidate, inputs.baseline):
        if not isinstance(source, KeptRun):
            continue
        about = source.document["inputs"]
        if about["release_digest"] != release.digest:
            raise UsageError(
                f"the run {source.name} is about {about['release']}, and the gate about "
                f"{release.name}@{release.version}: compare on the same rows"
            )


def _refuse_strange_rows(inputs: GateInputs, known: set[str], release: ReleaseVersion) -> None:
    """Refuse files that name rows of another release; rows that were erased may be named."""
    if release.erased:
        return
    named = {
        "the candidate": {} if isinstance(inputs.candidate, KeptRun) else inputs.candidate or {},
        "the baseline": {} if isinstance(inputs.baseline, KeptRun) else inputs.baseline or {},
        "the verdicts": {key[0] for key in inputs.verdicts or {}},
        "the reviews": {key[0] for key in inputs.reviews},
    }
    for what, ids in named.items():
        strange = sum(id_ not in known for id_ in ids)
        if strange:
            raise UsageError(
                f"{release.name}@{release.version} lacks {strange} of the {len(ids)} rows of {what}"
                ": `row` is the trace_id of a row of that version"
            )


def _digest(outputs: Mapping[str, CandidateLine] | None) -> str | None:
    return None if outputs is None else digest_of_lines(outputs)
