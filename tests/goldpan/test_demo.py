"""The demo, as a stranger runs it: as a process, with nothing but the package."""

import json
import shutil
import socket
import stat
import subprocess
from dataclasses import replace
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from deltalake import DeltaTable

from goldpan.cli.demo import SEED
from goldpan.cli.demo_gate_output import show_gate_outcome
from goldpan.cli.demo_output import show_month, show_outcome
from goldpan.cli.plain_console import PlainConsole
from goldpan.demo.broken_records import make_broken_traces
from goldpan.demo.gated_release import (
    FIRST_REVIEWS,
    GatedCandidate,
    GateLook,
    GateOutcome,
    GoldenSet,
)
from goldpan.demo.judged_month import MonthOutcome, ShareOfDone
from goldpan.demo.month import make_month
from goldpan.demo.outcome import BrokenRecord, RedactionExample, read_outcome
from goldpan.demo.run import DemoRun
from goldpan.demo.traffic import load_all_conversations, load_shipped_conversations, make_traces
from judges.outcome import OUTCOMES
from tests.docs.pages import code_blocks, read_page
from tests.servers.worker import call_goldpan, run_goldpan

SECONDS = 300.0


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the demo was told to keep its lake in."""
    return tmp_path_factory.mktemp("demo") / "kept"


@pytest.fixture(scope="module")
def shown(kept: Path) -> dict[str, Any]:
    """What ``goldpan demo --json --keep`` printed."""
    done = run_goldpan({}, "demo", "--json", "--keep", str(kept), timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_every_record_is_accounted_for(shown: dict[str, Any]) -> None:
    """What was sent is stored or in quarantine, and the proof holds."""
    calls = sum(len(make_traces(c, started_at=0)) for c in load_shipped_conversations())
    broken = len(make_broken_traces(make_traces(load_shipped_conversations()[0], started_at=0)[0]))
    rows = {name: table["rows"] for name, table in shown["tables"].items()}
    calls += shown["month"]["outcomes"]["drawn"]
    assert rows["traces"] == calls
    assert rows["quarantine"] == broken
    assert shown["sent"] == {"llm.traces": calls + broken, "llm.feedback": rows["feedback"]}
    assert shown["verify"]["ok"]
    assert shown["ok"]
    assert rows["redactions"] == rows["traces"] + rows["feedback"]
    consumed = sum(p["consumed"] for p in shown["verify"]["partitions"])
    assert consumed == rows["traces"] + rows["feedback"] + rows["quarantine"]


def test_thumbs_and_edits_become_labels(shown: dict[str, Any]) -> None:
    """Each label names the signals that it rests on; a thumb down points to a fail."""
    judged = shown["labels"]
    assert shown["tables"]["labels"]["rows"] >= sum(one["traces"] for one in judged) > 5
    [down] = [one for one in judged if one["signals"] == ["thumbs_down"]]
    assert down["p_fail"] > 0.5


def test_each_broken_record_has_its_reason(shown: dict[str, Any]) -> None:
    """Quarantine says of each what was done to it on purpose."""
    good = make_traces(load_shipped_conversations()[0], started_at=0)[0]
    assert {one["broken"] for one in shown["quarantined"]} == {
        w for w, _ in make_broken_traces(good)
    }
    reasons = {one["broken"]: one["reason"] for one in shown["quarantined"]}
    assert reasons["not JSON"] == "not_json"
    assert reasons["an unknown field"] == "unknown_field"
    assert reasons["an unknown schema id"] == "unknown_schema"


def test_personal_data_is_found_and_replaced(shown: dict[str, Any]) -> None:
    """The example shows a customer's profile before, and nothing of it after."""
    found = {one["type"] for one in shown["findings"]}
    assert {"PERSON", "EMAIL_ADDRESS", "USER_ID"} <= found
    before, after = shown["example"]["before"], shown["example"]["after"]
    profile = json.loads(before["the tool's result"])
    stored = json.dumps(after)
    for personal in (before["user_id"], profile["email"], profile["name"]["last_name"]):
        assert personal not in stored
    assert json.loads(after["the tool's result"]).keys() == profile.keys()


def test_nothing_personal_is_in_any_file(shown: dict[str, Any], kept: Path) -> None:
    """Neither data nor logs nor the worker's own log hold an e-mail address or a user id."""
    assert shown["kept"] == str(kept)
    users = {c.user_id.encode() for c in load_all_conversations()}
    for file in kept.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(user in content for user in users), file
            assert b"@example.com" not in content, file


def test_the_kept_lake_can_be_looked_at(shown: dict[str, Any], kept: Path) -> None:
    """The file of settings beside it is all that other commands need; only the owner reads it."""
    env = kept / "env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    done = run_goldpan(_settings_of(kept), "lake", "verify", "--deep", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["partitions"] == shown["verify"]["partitions"]


def test_the_commands_of_readme_run_on_the_kept_lake(shown: dict[str, Any], kept: Path) -> None:
    """Those after `goldpan demo --keep`, with the settings that the demo leaves."""
    del shown
    [block] = [b for b in code_blocks("README.md") if "goldpan demo --keep" in b.text]
    _, source, *commands = block.text.splitlines()
    assert source == ". ./goldpan-demo/env"
    assert len(commands) == 3
    for command in commands:
        done = run_goldpan(_settings_of(kept), *command.split()[1:])
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("table", ["traces", "feedback", "quarantine"])
def test_every_column_can_be_asked_for(shown: dict[str, Any], kept: Path, table: str) -> None:
    """A reader who filters on any column of text finds the rows that hold the value."""
    assert shown["tables"][table]["rows"]
    rows = DeltaTable(str(kept / "lake" / table)).to_pyarrow_dataset()
    everything = rows.to_table()
    lost = []
    for field in everything.schema:
        values = everything[field.name].drop_null()
        if pa.types.is_string(field.type) and len(values):
            found = rows.count_rows(filter=pc.field(field.name) == values[0])
            if found != pc.sum(pc.equal(values, values[0])).as_py():
                lost.append(field.name)
    assert lost == []


def test_a_lake_is_not_overwritten(shown: dict[str, Any], kept: Path) -> None:
    """A second demo into the same folder is refused."""
    del shown
    done: subprocess.CompletedProcess[str] = run_goldpan({}, "demo", "--keep", str(kept))
    assert done.returncode == 2
    assert "is not an empty folder" in done.stderr


def test_it_shows_before_it_proves_and_fits_a_terminal(shown: dict[str, Any], kept: Path) -> None:
    """First a trace and labels, then counts, last the proof; broken records are one sentence."""
    outcome = replace(
        read_outcome(str(kept / "lake"), _run_of(shown)),
        quarantined=[BrokenRecord(**one) for one in shown["quarantined"]],
        seconds=shown["seconds_to_queryable"],
        example=RedactionExample(**shown["example"]),
    )
    out = StringIO()
    show_outcome(PlainConsole(file=out, width=80), outcome)
    lines = out.getvalue().splitlines()
    titles = (
        "One",
        "Labels of",
        "How many",
        "Does a",
        "Personal",
        "From Kafka",
        "Each quarantined",
        "The proof",
    )
    places = [next(i for i, line in enumerate(lines) if line.startswith(t)) for t in titles]
    assert places == sorted(places)
    assert places[-1] - places[-2] < 6
    assert "<EMAIL_ADDRESS:" in out.getvalue() or "<STREET_ADDRESS:" in out.getvalue()
    proof = lines[places[-1] :]
    assert [line for line in proof if line.split()[:1] == ["llm.traces/0"]]
    assert not {"dropped", "erased"} & set(" ".join(proof).split())
    sentences = ("ok: ", "as of table versions ")  # the terminal wraps these
    assert max(len(line) for line in lines if not line.startswith(sentences)) <= 80


def _run_of(shown: dict[str, Any]) -> DemoRun:
    """What the demo found, without what it sent in real time."""
    return DemoRun([], shown["sent"], shown["formats"], _month_of(shown), _gate_of(shown))


def _gate_of(shown: dict[str, Any]) -> GateOutcome:
    found = shown["gate"]
    candidates = [
        GatedCandidate(**{**each, "looks": [GateLook(**look) for look in each["looks"]]})
        for each in found["candidates"]
    ]
    return GateOutcome(GoldenSet(**found["golden_set"]), found["bar"], candidates)


def _month_of(shown: dict[str, Any]) -> MonthOutcome:
    month = shown["month"]
    days = {name: date.fromisoformat(month[name]) for name in ("first_day", "last_day")}
    shares = {name: ShareOfDone(**month[name]) for name in ("naive", "corrected")}
    return MonthOutcome(**{**month, **days, **shares})


def test_the_month_is_judged_whole_and_reviewed_in_part(shown: dict[str, Any], kept: Path) -> None:
    """All five outcomes add up to what was sent, and no review is of anything else."""
    month = _month_of(shown)
    known = make_month(load_all_conversations(), last_day=month.last_day, seed=SEED)
    assert month.outcomes["drawn"] == len(known.records) == 3_000
    assert sum(month.outcomes[name] for name in OUTCOMES) == month.outcomes["drawn"]
    assert month.outcomes["error"] == month.outcomes["not_applicable"] == 0
    judged = DeltaTable(str(kept / "lake" / "judgements")).to_pyarrow_table()
    assert set(judged["trace_id"].to_pylist()) == known.is_done.keys()
    reviews = DeltaTable(str(kept / "lake" / "reviews")).to_pyarrow_table()
    reviewed = reviews.filter(pc.equal(reviews["step"], "review"))["trace_id"].to_pylist()
    assert len(reviewed) == len(set(reviewed)) == month.reviews
    assert set(reviewed) <= known.is_done.keys()


def test_the_judge_misses_the_truth_and_reviews_put_it_right(shown: dict[str, Any]) -> None:
    """The demo knows what share of the tasks was done: a few reviews find it, no judge alone."""
    month = _month_of(shown)
    assert month.truth == 0.49
    assert not month.naive.contains(month.truth)
    assert month.corrected.contains(month.truth)
    assert abs(month.corrected.estimate - month.truth) < abs(month.naive.estimate - month.truth)
    assert month.reviews < month.worth_in_reviews < 2 * month.reviews


def test_the_gate_waits_for_reviews_then_ships_one_and_blocks_the_other(
    shown: dict[str, Any], kept: Path
) -> None:
    """What it says is the truth, which the demo knows; both looks are kept, with their reports."""
    outcome = _gate_of(shown)
    careful, generous = outcome.candidates
    assert [look.decision for look in careful.looks] == ["not_enough_evidence", "ship"]
    assert [look.decision for look in generous.looks] == ["not_enough_evidence", "block"]
    assert generous.truth < outcome.bar < careful.truth
    for candidate in outcome.candidates:
        first, last = candidate.looks
        assert (first.reviews, last.reviews) == (FIRST_REVIEWS, outcome.golden_set.rows)
        assert first.missing_reviews
        assert last.estimate == pytest.approx(candidate.truth)  # all are reviewed
        series, _, look = (kept / "lake/evaluations" / candidate.run).as_posix().rpartition("/")
        assert (look, len(list(Path(series).glob("*/SHA256SUMS")))) == ("2", 2)
        assert (kept / candidate.report).read_text(encoding="utf-8").startswith("<!")
        lines = (kept / f"{candidate.name}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == outcome.golden_set.rows


def test_the_golden_set_has_the_labels_that_releases_take_by_default(
    shown: dict[str, Any], kept: Path
) -> None:
    """Reviews became labels of both kinds; the datasheet lies beside the rows."""
    golden_set = _gate_of(shown).golden_set
    assert min(golden_set.labels["pass"], golden_set.labels["fail"]) > 30
    assert sum(golden_set.labels.values()) == golden_set.rows
    assert (kept / golden_set.datasheet).is_file()
    done = call_goldpan(_settings_of(kept), "release", "verify", golden_set.name)
    assert done.returncode == 0, done.stderr


def test_the_way_from_the_kept_lake_to_ci_is_what_the_page_says(
    shown: dict[str, Any], kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands run in the demo's folder; that of CI is the demo's second look again."""
    [block] = [b for b in code_blocks("docs/gate.md") if "goldpan demo --keep" in b.text]
    demo, enter, source, *commands = block.text.splitlines()
    assert (demo, enter, source) == (
        "goldpan demo --keep ./goldpan-demo",
        "cd goldpan-demo",
        ". ./env",
    )
    monkeypatch.chdir(kept)
    said = [call_goldpan(_settings_of(kept), *line.split()[1:]) for line in commands]
    assert [done.returncode for done in said] == [0, 0, 0], said
    careful = _gate_of(shown).candidates[0]
    assert f"the same as the kept run {careful.run}" in said[-1].stdout
    copied = shutil.copytree(kept / "lake", kept.parent / "bucket")
    in_copy = _settings_of(kept) | {"GOLDPAN_LAKE__URI": str(copied)}
    again = call_goldpan(in_copy, *commands[-1].split()[1:])
    assert (again.returncode, again.stdout) == (0, said[-1].stdout)
    assert "<testsuite" in (kept / "gate.xml").read_text(encoding="utf-8")
    [in_ci] = [b for b in code_blocks("docs/gate.md") if "GOLDPAN_REDACT__KEY" in b.text]
    steps = yaml.safe_load(in_ci.text)["jobs"]["gate"]["steps"]
    assert [step["run"] for step in steps if "goldpan gate" in step.get("run", "")] == [
        commands[-1]
    ]


def _settings_of(kept: Path) -> dict[str, str]:
    lines = (kept / "env").read_text(encoding="utf-8").splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def test_the_page_of_gates_shows_what_the_demo_prints(shown: dict[str, Any]) -> None:
    """To the letter: candidates, rows and reviews are the same in each run."""
    out = StringIO()
    show_gate_outcome(PlainConsole(file=out, width=80), _gate_of(shown))
    printed = [line.strip() for line in out.getvalue().splitlines() if line.strip()]
    [block] = [b for b in code_blocks("docs/gate.md") if "Simulated reviewers" in b.text]
    assert [line.strip() for line in block.text.splitlines() if line.strip()] == printed


def test_the_page_of_judges_shows_what_the_demo_prints(shown: dict[str, Any]) -> None:
    """To the letter: the month and its draws are the same in each run."""
    out = StringIO()
    show_month(PlainConsole(file=out, width=80), _month_of(shown))
    printed = [line.strip() for line in out.getvalue().splitlines() if line.strip()]
    [block] = [b for b in code_blocks("docs/judges.md") if "share of tasks done" in b.text]
    assert [line.strip() for line in block.text.splitlines() if line.strip()] == printed


def test_readme_has_the_figures_of_the_demo(shown: dict[str, Any]) -> None:
    """What the judge says, what reviewers make of it, and the truth."""
    month, text = _month_of(shown), " ".join(read_page("README.md").split())
    naive, low, high, best, truth = (
        f"{100 * share:.1f} %"
        for share in (
            month.naive.estimate,
            month.corrected.low,
            month.corrected.high,
            month.corrected.estimate,
            month.truth,
        )
    )
    assert f"that {naive} of the tasks were done" in text
    gate = _gate_of(shown)
    (_, shipped), (_, blocked) = (each.looks for each in gate.candidates)
    assert f"a golden set of {gate.golden_set.rows} rows" in text
    assert shipped.low is not None
    assert blocked.high is not None
    for share, limit, bound in ((shipped, "least", shipped.low), (blocked, "most", blocked.high)):
        assert share.estimate is not None
        assert f"({100 * share.estimate:.1f} %" in text
        assert f"at {limit} {100 * bound:.1f} %)" in text
    assert (
        f"by {month.reviews} reviews it is {best} ({low} to {high}), and in truth {truth}" in text
    )


def test_each_line_of_the_log_says_which_worker(kept: Path) -> None:
    """By host and number, so that several in one log can be told apart."""
    lines = [json.loads(line) for line in (kept / "worker.log").read_text().splitlines()]
    assert {line["worker"] for line in lines} == {f"{socket.gethostname()}/0"}
