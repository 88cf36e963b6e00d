"""A golden set of the month, and two candidates at its gate, through the commands of anywhere.

1. `goldpan labels reconcile` makes labels of the reviews, and `goldpan release build` the release.
2. The candidates' answers to its rows are recorded runs (`goldpan.demo.candidates`).
3. The gate draws answers for reviewers, who are simulated and know the truth.
4. It looks when a few reviews are in, and again when all are.

The gate runs in this process, by what `goldpan gate` calls: each process of its own would compile
the patterns of redaction anew.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from batch.gate.gate_report import answers_page
from batch.progress import ReportProgress
from batch.release.format.files import DATA, DATASHEET_HTML
from goldpan import wiring
from goldpan.demo.candidates import CANDIDATES, CandidateAnswer, candidate_answers, candidate_line
from goldpan.demo.month import DemoMonth
from goldpan.demo.process import run_job
from goldpan.gate_setup import GateFiles, decide_and_keep, rows_for_reviewers
from goldpan.settings import Settings
from judges.gate.decision import GateDecision, GateVerdict
from judges.gate.definition import load_gate
from lake.datasets import open_dataset
from lake.tables import Lake
from schemas.json_lines import encode_json_lines

METRIC: Final = "task_success"
FIRST_REVIEWS: Final = 8
"""How many reviews are in at the first look."""
_COLUMNS: Final = (
    "trace_id",
    "messages",
    "response",
    "tool_calls",
    "latency_ms",
    "cost_usd",
    "input_tokens",
    "output_tokens",
)


@dataclass(frozen=True, slots=True)
class GateFolder:
    """The files of the gate in the demo's folder, and those that it writes there."""

    folder: Path
    spec: Path
    gate: Path
    judge: Path

    def of(self, candidate: str, ending: str) -> Path:
        """Return a file of a candidate."""
        return self.folder / f"{candidate}{ending}"


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """The release: its name, its rows by label, and the path of its datasheet in the folder."""

    name: str
    rows: int
    labels: Mapping[str, int]
    datasheet: str


@dataclass(frozen=True, slots=True)
class GateLook:
    """What a look at a candidate came to: the decision, and the share of tasks done."""

    decision: GateVerdict
    reviews: int
    estimate: float | None
    low: float | None
    high: float | None
    missing_reviews: int | None


@dataclass(frozen=True, slots=True)
class GatedCandidate:
    """A candidate with its looks; ``truth`` is the share of rows whose task it has done."""

    name: str
    truth: float
    looks: Sequence[GateLook]
    run: str
    report: str


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """The golden set, the share of tasks that must be done, and what became of candidates."""

    golden_set: GoldenSet
    bar: float
    candidates: Sequence[GatedCandidate]


def gate_candidates(
    environment: Mapping[str, str],
    settings: Settings,
    month: DemoMonth,
    files: GateFolder,
    report: ReportProgress,
) -> GateOutcome:
    """Build the release and run the gate on both candidates.

    ``environment`` and ``settings`` say the same, to other processes and to this one. Raises
    FatalError if a command fails.
    """
    report("building a golden set", 0, 0)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(wiring.shared_redactor, settings.redact)  # it takes as long as the release
        golden_set, rows = _build_release(environment, month, files)
    lake = Lake(settings.lake)
    stored = _stored_runs(lake, month)
    gated = []
    for name in CANDIDATES:
        report(f"the gate looks at the candidate {name}", 0, 0)
        answers = candidate_answers(name, month, rows)
        lines = (candidate_line(row, it, stored[it.run.trace_id]) for row, it in answers.items())
        files.of(name, ".jsonl").write_bytes(encode_json_lines(lines))
        gated.append(_gate(settings, files, name, answers))
    bar = load_gate(files.gate).require[METRIC].at_least or 0.0
    return GateOutcome(golden_set, bar, gated)


def _build_release(
    environment: Mapping[str, str], month: DemoMonth, files: GateFolder
) -> tuple[GoldenSet, list[str]]:
    """Make labels of the reviews, and a release of them; return it and the ids of its rows."""
    run_job(environment, "labels", "reconcile")
    end = month.last_day + timedelta(days=1)
    with files.spec.open("a", encoding="utf-8") as spec:
        spec.write(f"window: {{from: {month.first_day}, to: {end}}}\n")
    built = json.loads(run_job(environment, "release", "build", str(files.spec), "--json"))
    place = files.folder / "lake" / "releases" / built["name"] / built["version"]
    rows = pq.read_table(place / DATA, columns=["trace_id", "label"]).to_pydict()
    labels = rows["label"]
    golden_set = GoldenSet(
        name=f"{built['name']}@{built['version']}",
        rows=len(labels),
        labels={label: labels.count(label) for label in sorted(set(labels), reverse=True)},
        datasheet=str((place / DATASHEET_HTML).relative_to(files.folder)),
    )
    return golden_set, rows["trace_id"]


def _stored_runs(lake: Lake, month: DemoMonth) -> dict[str, dict[str, Any]]:
    """Return the traces of the first day as they are stored, redacted, by id."""
    day = pc.field("event_date") == pc.scalar(month.first_day)
    table = lake.table("traces")
    table.refresh()
    rows = open_dataset(table.handle).to_table(columns=list(_COLUMNS), filter=day)
    return {row["trace_id"]: row for row in rows.to_pylist()}


def _gate(
    settings: Settings, files: GateFolder, name: str, answers: Mapping[str, CandidateAnswer]
) -> GatedCandidate:
    """Return a candidate after both looks."""
    gate = GateFiles(files.gate, str(files.of(name, ".jsonl")), judges=(files.judge,))
    asked = _ask_reviews(settings, gate, len(answers))
    looks = []
    for count in (FIRST_REVIEWS, len(asked)):
        reviewed = _hand_in(gate, files.of(name, "-reviews.jsonl"), asked[:count], answers)
        kept = decide_and_keep(settings, reviewed)
        looks.append(_look(kept.run.decision))
    page = answers_page(kept.name, kept.run, kept.answered)
    files.of(name, ".html").write_bytes(page)
    return GatedCandidate(
        name=name,
        truth=sum(answer.is_done for answer in answers.values()) / len(answers),
        looks=looks,
        run=kept.name,
        report=files.of(name, ".html").name,
    )


def _look(decision: GateDecision) -> GateLook:
    found = next(each for each in decision.requirements if each.name == METRIC)
    return GateLook(
        decision=decision.decision,
        reviews=found.reviews,
        estimate=found.estimate,
        low=found.low,
        high=found.high,
        missing_reviews=found.missing_reviews,
    )


def _ask_reviews(settings: Settings, gate: GateFiles, count: int) -> list[dict[str, Any]]:
    """Return the answers that are drawn for reviewers, in the order in which they take them.

    That of their ids, which are hashes: so it is a random one, and the same in each demo.
    """
    drawn = rows_for_reviewers(settings, gate, count)
    return sorted(drawn, key=lambda item: str(item["row"]))


def _hand_in(
    gate: GateFiles,
    file: Path,
    items: Sequence[Mapping[str, Any]],
    answers: Mapping[str, CandidateAnswer],
) -> GateFiles:
    """Write what simulated reviewers say of these, and return the gate with their reviews."""
    verdicts = {True: "pass", False: "fail"}
    said = ({**item, "outcome": verdicts[answers[item["row"]].is_done]} for item in items)
    file.write_bytes(encode_json_lines(said))
    return replace(gate, reviews=file)
