"""``goldpan gate`` as people use it: its four answers, its looks, and what it refuses."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from batch.gate.gate_lines import read_candidate, read_reviews, read_verdicts
from tests.batch.gate.world import outputs, publish_release, trace_id, verdicts, write_lines
from tests.batch.judge.judge_server import judge_server
from tests.docs.pages import code_blocks
from tests.redact.light_policy import set_light_policy
from tests.servers.in_process import Run, runner, work_in

EXAMPLE = "support.yaml"
RUN = "support-release/3f9a1c02b7d4/1"
"""The run that the page names."""
"""A policy that needs no model for names, and so no seconds."""


@pytest.fixture(scope="module")
def gate_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake and a release of 300 rows; only read."""
    folder = tmp_path_factory.mktemp("gate")
    publish_release(folder)
    return folder / "lake"


@pytest.fixture
def run_gate(
    gate_lake: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run goldpan beside a lake with a release, and the gate file of the docs."""
    copytree(gate_lake, tmp_path / "lake")
    work_in(tmp_path, monkeypatch)
    set_light_policy(tmp_path, monkeypatch)
    text = next(block.text for block in code_blocks("docs/gate.md") if "gate: " in block.text)
    (tmp_path / EXAMPLE).write_text(text, encoding="utf-8")
    write_lines(tmp_path / "out.jsonl", outputs())
    judged = [*verdicts("faithfulness", every=20), *verdicts("task_success", every=12)]
    write_lines(tmp_path / "verdicts.jsonl", judged)
    return runner(capsys)


def decided(run_gate: Run, *more: str, gate: str = EXAMPLE) -> dict[str, Any]:
    """Return the JSON of a run with the candidate and the verdicts, and its exit code."""
    arguments = ("--candidate", "out.jsonl", "--verdicts", "verdicts.jsonl", *more, "--json")
    ran = run_gate("gate", gate, *arguments)
    assert ran.stderr == ""
    found: dict[str, Any] = json.loads(ran.stdout)
    return found | {"code": ran.returncode}


def test_the_example_of_the_page_ships(run_gate: Run) -> None:
    """Faithfulness, hit rate, latency and cost per success clear the bars of the docs."""
    found = decided(run_gate)
    assert (found["decision"], found["code"], found["looks"]) == ("ship", 0, 1)
    bars = {each["name"]: each["bar"] for each in found["requirements"]}
    assert bars == {
        "faithfulness": 0.85,
        "retrieval.hit_rate": 0.80,
        "latency_p95_ms": 3500,
        "cost_per_success": 0.08,
    }
    assert {each["state"] for each in found["requirements"]} == {"clears"}
    keys = "name estimate low high bar state rows reviews mde missing_rows missing_reviews"
    assert all(set(keys.split()) <= each.keys() for each in found["requirements"])
    assert found["outcomes"]["faithfulness"]["candidate"]["pass"] == 285


CHANGES: dict[str, tuple[int, str, Callable[[], Any]]] = {
    "one that is less faithful is blocked": (
        1,
        "faithfulness",
        lambda: write_lines(
            Path("verdicts.jsonl"),
            [*verdicts("faithfulness", every=3), *verdicts("task_success", every=12)],
        ),
    ),
    "one that is near the bar is open": (
        4,
        "faithfulness",
        lambda: write_lines(
            Path("verdicts.jsonl"),
            [*verdicts("faithfulness", every=7), *verdicts("task_success", every=12)],
        ),
    ),
    "one that is too slow is blocked": (
        1,
        "latency_p95_ms",
        lambda: write_lines(Path("out.jsonl"), outputs(latency_ms=lambda n: 3400 + n % 7 * 100)),
    ),
    "one that costs too much is blocked": (
        1,
        "cost_per_success",
        lambda: write_lines(Path("out.jsonl"), outputs(cost_usd=0.09)),
    ),
    "one that finds nothing is blocked": (
        1,
        "retrieval.hit_rate",
        lambda: write_lines(Path("out.jsonl"), outputs(retrieved=[])),
    ),
    "one without latencies cannot be told": (
        5,
        "latency_p95_ms",
        lambda: write_lines(Path("out.jsonl"), outputs(latency_ms=None)),
    ),
    "one that leaves out rows cannot be told": (
        5,
        "latency_p95_ms",
        lambda: write_lines(Path("out.jsonl"), outputs(rows=270)),
    ),
    "an outage of the judge is no regression": (
        5,
        "faithfulness",
        lambda: write_lines(
            Path("verdicts.jsonl"),
            [
                *(each | {"outcome": "error"} for each in verdicts("faithfulness", every=20)),
                *verdicts("task_success", every=12),
            ],
        ),
    ),
    "bad rows without a verdict do not ship": (
        5,
        "faithfulness",
        lambda: write_lines(
            Path("verdicts.jsonl"),
            [
                *(each for each in verdicts("faithfulness", every=3) if each["outcome"] == "pass"),
                *verdicts("task_success", every=12),
            ],
        ),
    ),
}


@pytest.mark.parametrize(("code", "name", "change"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_one_thing_changes_the_answer(
    run_gate: Run, code: int, name: str, change: Callable[[], Any]
) -> None:
    """The requirement that it concerns says so, and the exit code is that of the answer."""
    change()
    found = decided(run_gate)
    decisions = {1: "block", 4: "not_enough_evidence", 5: "cannot_tell"}
    states = {1: "fails", 4: "open", 5: "not_measured"}
    assert (found["code"], found["decision"]) == (code, decisions[code])
    kept = Path("lake/evaluations", found["run"], "report.html").read_text(encoding="utf-8")
    assert (f"Blocked: {name} is " in kept) == (code == 1)
    concerned = next(each for each in found["requirements"] if each["name"] == name)
    assert concerned["state"] == states[code]
    if code == 4:
        assert concerned["missing_rows"] > 0


def test_the_text_is_short_and_says_what_is_missing(run_gate: Run) -> None:
    """At 80 columns no line is longer, and an open requirement names the missing rows."""
    judged = [*verdicts("faithfulness", every=7), *verdicts("task_success", every=12)]
    write_lines(Path("verdicts.jsonl"), judged)
    ran = run_gate("gate", EXAMPLE, "--candidate", "out.jsonl", "--verdicts", "verdicts.jsonl")
    assert ran.returncode == 4
    assert ran.stdout.startswith("not enough evidence: gate support-release, support@1.0.0\n")
    assert "more rows" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 80
    assert len(ran.stdout.splitlines()) <= 20


def test_the_same_run_again_is_the_same_look_and_the_same_bytes(run_gate: Run) -> None:
    """Nothing is counted twice, and the kept files stay as they were."""
    first = decided(run_gate)
    kept = {path: path.read_bytes() for path in Path("lake/evaluations").rglob("*.*")}
    assert {path.name for path in kept} == {
        "run.json",
        "readings.parquet",
        "answers.parquet",
        "report.html",
        "report.md",
        "junit.xml",
    } | {path.name for path in kept if path.name == "SHA256SUMS"}
    assert decided(run_gate) == first
    assert {p: p.read_bytes() for p in Path("lake/evaluations").rglob("*.*")} == kept


def test_a_repetition_with_fresh_calls_is_refused(run_gate: Run) -> None:
    """Verdicts that are others now, or are gone, would be picked; more verdicts are a look."""
    text = Path(EXAMPLE).read_text(encoding="utf-8").replace("looks: 1", "looks: 2")
    Path(EXAMPLE).write_text(text, encoding="utf-8")
    every = [*verdicts("faithfulness", every=20), *verdicts("task_success", every=12)]
    first = [each for each in every if each["row"] < trace_id(150)]
    write_lines(Path("verdicts.jsonl"), first)
    assert decided(run_gate)["looks"] == 1
    write_lines(Path("verdicts.jsonl"), every)
    assert (decided(run_gate)["looks"], decided(run_gate)["looks"]) == (2, 2)
    for changed in (verdicts("faithfulness", every=19), every[:-1]):
        write_lines(Path("verdicts.jsonl"), changed)
        arguments = ("--candidate", "out.jsonl", "--verdicts", "verdicts.jsonl")
        ran = run_gate("gate", EXAMPLE, *arguments)
        assert ran.returncode == 2
        assert "fresh calls" in ran.stderr


def test_a_look_too_many_cannot_be_told(run_gate: Run) -> None:
    """With one look planned, the second has no probability left, whatever it sees."""
    assert decided(run_gate)["decision"] == "ship"
    baseline = write_lines(Path("base.jsonl"), outputs())
    found = decided(run_gate, "--baseline", str(baseline))
    assert (found["decision"], found["looks"], found["code"]) == ("cannot_tell", 2, 5)
    assert "1 were planned" in found["reason"]


def test_a_kept_run_is_a_baseline(run_gate: Run) -> None:
    """Against itself nothing changes; against a better one the margin blocks."""
    before = decided(run_gate)["run"]
    gate = (
        "gate: compare\nrelease: support@1\n"
        "require: {faithfulness: {no_worse_than_baseline_by: .02}}\n"
    )
    Path("compare.yaml").write_text(gate, encoding="utf-8")
    same = decided(run_gate, "--baseline", before, gate="compare.yaml")
    assert same["requirements"][0]["changed"] == {
        "gained": 0,
        "lost": 0,
        "mcnemar_p": 1.0,
        "differs": False,
    }
    assert same["requirements"][0]["estimate"] == 0
    worse = [*verdicts("faithfulness", every=4), *verdicts("task_success", every=12)]
    write_lines(Path("verdicts.jsonl"), worse)
    write_lines(Path("out.jsonl"), outputs(response="At ten."))
    found = decided(run_gate, "--baseline", before, gate="compare.yaml")
    assert (found["decision"], found["requirements"][0]["changed"]["differs"]) == ("block", True)
    Path("two.yaml").write_text(gate.replace("gate: compare", "gate: two"), encoding="utf-8")
    runs = ("--candidate", found["run"], "--baseline", before)
    two = json.loads(run_gate("gate", "two.yaml", *runs, "--json").stdout)
    assert two["requirements"] == found["requirements"]
    assert two["inputs"]["candidate"] == found["inputs"]["candidate"]


def test_the_rows_that_changed_are_written_and_not_kept(run_gate: Run) -> None:
    """Each with what both sides say; they are for whoever has the files."""
    sides = [
        *verdicts("faithfulness", every=20, side="baseline"),
        *verdicts("faithfulness", every=10),
    ]
    write_lines(Path("verdicts.jsonl"), sides)
    gate = "gate: c\nrelease: support@1\nrequire: {faithfulness: {no_worse_than_baseline_by: .1}}\n"
    Path("c.yaml").write_text(gate, encoding="utf-8")
    found = decided(run_gate, "--changed", "changed.jsonl", gate="c.yaml")
    lines = [json.loads(line) for line in Path("changed.jsonl").read_text().splitlines()]
    assert len(lines) == found["requirements"][0]["changed"]["lost"] == 15
    assert lines[0] == {
        "row": trace_id(10),
        "metric": "faithfulness",
        "baseline": "pass",
        "candidate": "fail",
        "question": "When do you open on day 10?",
        "baseline_response": None,
        "baseline_tool_calls": None,
        "candidate_response": "At nine.",
        "candidate_tool_calls": [],
    }


def test_a_plan_says_what_will_be_found_and_keeps_nothing(run_gate: Run) -> None:
    """Before anything is judged: verdicts to make, what is found, and the rows that are missing."""
    text = Path(EXAMPLE).read_text(encoding="utf-8")
    text = text.replace("{at_least: 0.85}", "{at_least: 0.85, no_worse_than_baseline_by: 0.02}")
    Path(EXAMPLE).write_text(text, encoding="utf-8")
    found = json.loads(run_gate("gate", EXAMPLE, "--dry-run", "--json").stdout)
    assert (found["rows"], found["clusters"], found["verdicts"]) == (300, 120, 900)
    plans = {each["rule"] + each["name"]: each for each in found["requirements"]}
    bar, margin = plans["at_leastfaithfulness"], plans["no_worse_than_baseline_byfaithfulness"]
    assert 0.04 < bar["finds"] < 0.09
    assert (bar["sought"], margin["sought"]) == (0.05, 0.02)
    assert margin["missing_rows"] > 3_000
    ran = run_gate("gate", EXAMPLE, "--dry-run")
    assert (ran.returncode, "needs 900 verdicts" in ran.stdout) == (0, True)
    assert max(map(len, ran.stdout.splitlines())) <= 80
    text = text.replace("as_judged ", "as_humans ")
    Path(EXAMPLE).write_text(text, encoding="utf-8")
    ran = run_gate("gate", EXAMPLE, "--dry-run")
    assert "at least 300 reviews" in ran.stdout  # 100 of each answer, and of tasks
    assert "reviews more" in ran.stdout
    assert "reviews of each side more" in ran.stdout
    assert not Path("lake/evaluations").exists()


def test_another_judge_than_the_baselines_cannot_be_told(run_gate: Run) -> None:
    """Verdicts of two judges, or of two epochs of one, do not compare."""
    sides = [
        each | {"judge": f"ours, epoch {epoch}"}
        for side, epoch in (("candidate", 2), ("baseline", 1))
        for each in verdicts("faithfulness", every=20, side=side)
    ]
    write_lines(Path("verdicts.jsonl"), sides)
    gate = "gate: c\nrelease: support@1\nrequire: {faithfulness: {no_worse_than_baseline_by: .1}}\n"
    Path("c.yaml").write_text(gate, encoding="utf-8")
    found = decided(run_gate, gate="c.yaml")
    assert (found["decision"], found["code"]) == ("cannot_tell", 5)
    assert "epoch" in found["requirements"][0]["reason"]


def test_reports_are_written_where_they_are_wanted(run_gate: Run) -> None:
    """Page, Markdown and tests for CI; they say the same, and need no network."""
    decided(run_gate, "--report", "r.html", "--markdown", "r.md", "--junit", "r.xml")
    page, text = Path("r.html").read_text(), Path("r.md").read_text()
    assert "<h1>Gate support-release: ship</h1>" in page
    assert "# Gate support-release: ship" in text
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    suite = ET.parse("r.xml").getroot()  # noqa: S314 - written here
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("8", "0")


def test_runs_hold_no_text_and_no_id(run_gate: Run) -> None:
    """Neither of the release, nor of the candidate, nor of the verdicts: 0 canaries."""
    canary = "zaphod.canary@example.org"
    lines = outputs(response=f"Ask {canary}.", error=None)
    lines[3] |= {"error": f"no {canary}"}
    write_lines(Path("out.jsonl"), lines)
    decided(run_gate)
    for path in Path("lake/evaluations").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert canary.encode() not in data
            assert trace_id(3).encode() not in data
            assert b"When do you open" not in data


MAIL = "zaphod.canary@example.org"


def write_judge(by: str) -> None:
    """Write a judge and a gate that requires what it says."""
    judge = f"judge: answered\nversion: 1\nasks: The answer is not empty.\nby: [{by}]\n"
    Path("judge.yaml").write_text(judge, encoding="utf-8")
    gate = "gate: a\nrelease: support@1\nrequire: {answered: {at_least: 0.9}}\n"
    Path("answered.yaml").write_text(gate, encoding="utf-8")


def test_goldpans_own_judges_judge_the_answers(run_gate: Run) -> None:
    """A check answers at once, about the candidate's answer and not that of the release."""
    write_judge("{check: empty_answer}")
    arguments = ("--candidate", "out.jsonl", "--judge", "judge.yaml", "--json")
    write_lines(Path("out.jsonl"), outputs(response=lambda n: "At nine." if n % 3 else " "))
    ran = run_gate("gate", "answered.yaml", *arguments)
    assert (ran.returncode, ran.stderr) == (1, "")
    found = json.loads(ran.stdout)
    counts = found["outcomes"]["answered"]["candidate"]
    assert (counts["pass"], counts["fail"]) == (200, 100)
    assert found["judges"]["candidate"]["answered"].startswith("answered 1, ")
    write_lines(Path("verdicts.jsonl"), verdicts("answered", every=20))
    ran = run_gate("gate", "answered.yaml", *arguments[:-1], "--verdicts", "verdicts.jsonl")
    assert (ran.returncode, "both say answered" in ran.stderr) == (2, True)


def test_an_agents_own_conversation_is_judged_and_redacted(
    run_gate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a line has one it takes the place of the row's; a check sees the calls in it."""
    write_judge("{check: tool_errors}")
    monkeypatch.setenv("GOLDPAN_REDACT__POLICY", "policy.yaml")
    call = {"id": "c1", "name": "find", "arguments": "{}"}
    own = [
        {"role": "user", "content": f"I am {MAIL}. When do you open?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "Error: no such place"},
    ]
    lines = [line if at % 3 else line | {"messages": own} for at, line in enumerate(outputs())]
    write_lines(Path("out.jsonl"), lines)
    arguments = ("gate", "answered.yaml", "--candidate", "out.jsonl")
    assert run_gate(*arguments, "--rows-to", "rows.jsonl").returncode == 0
    texts = {}
    for line in Path("rows.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        texts[row["trace_id"]] = [turn["content"] for turn in row["messages"]]
    first, second = (texts[line["row"]] for line in lines[:2])
    assert first[1:] == [None, "Error: no such place"]
    assert first[0].startswith("I am <EMAIL")
    assert second == ["When do you open on day 1?"]
    found = json.loads(run_gate(*arguments, "--judge", "judge.yaml", "--json").stdout)
    counts = found["outcomes"]["answered"]["candidate"]
    assert (counts["fail"], counts["not_applicable"]) == (100, 200)


def test_what_a_server_judged_before_counts_and_rows_are_redacted(
    run_gate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows go through `judge run --rows`; without it nobody is asked, and nothing can be told."""
    write_judge("{chat: m-2026-01-01}")
    write_lines(Path("out.jsonl"), outputs(response=f"Ask {MAIL}."))
    arguments = ("gate", "answered.yaml", "--candidate", "out.jsonl")
    with judge_server() as server:
        monkeypatch.setenv("GOLDPAN_JUDGES__URL", f"http://127.0.0.1:{server.server_port}/v1")
        assert run_gate(*arguments, "--judge", "judge.yaml").returncode == 5
        assert run_gate(*arguments, "--rows-to", "rows.jsonl").returncode == 0
        text = Path("rows.jsonl").read_text(encoding="utf-8")
        assert (text.count("\n"), MAIL in text, text.count("<EMAIL")) == (300, False, 300)
        assert run_gate("judge", "run", "judge.yaml", "--rows", "rows.jsonl").returncode == 0
        ran = run_gate(*arguments, "--judge", "judge.yaml", "--json")
    assert ran.returncode == 0
    found = json.loads(ran.stdout)
    assert found["judges"]["candidate"]["answered"].endswith(", epoch 1")
    [card] = found["judge_cards"]
    assert (card["model"], card["judged"], card["flips"]["rows"]) == ("m-2026-01-01", 300, 0)
    assert (card["served"].keys(), card["agreement"]) == ({"1"}, None)


def test_the_commands_of_the_page_run(run_gate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, the gate's own first; those with judges beside another lake, as another candidate.

    Its lines of JSON are lines that the command takes.
    """
    write_judge("{chat: m-2026-01-01}")
    judge = Path("judge.yaml").read_text(encoding="utf-8")
    for name in ("faithfulness", "task_success"):
        text = judge.replace("judge: answered", f"judge: {name}")
        Path(f"{name}.yaml").write_text(text, encoding="utf-8")
    write_lines(Path("base.jsonl"), outputs())
    page = [b for b in code_blocks("docs/gate.md") if "careful.jsonl" not in b.text]  # the demo's
    blocks = [block for block in page if block.language in ("sh", "yaml", "json")]
    said = [block.text.splitlines() for block in blocks if block.language == "sh"]
    codes = []
    with judge_server() as server:
        monkeypatch.setenv("GOLDPAN_JUDGES__URL", f"http://127.0.0.1:{server.server_port}/v1")
        monkeypatch.setenv("GOLDPAN_CANDIDATE__URL", f"http://127.0.0.1:{server.server_port}/v1")
        commands = [line for lines in said for line in lines if line.startswith("goldpan ")]
        for at, line in enumerate(commands):
            if "--rows-to" in line:
                write_lines(Path("out.jsonl"), outputs(response=f"On day {at}."))
            elif "--verdicts" in line:
                write_lines(Path("out.jsonl"), outputs())
            kept = sorted(Path("lake/evaluations").glob("support-release/*/*"))
            words = line.removeprefix("goldpan ").split()
            named = [str(kept[0].relative_to("lake/evaluations")) if w == RUN else w for w in words]
            codes.append(run_gate(*named).returncode)
    # Nobody has judged task_success: cost per success.
    assert codes == [0, 0, 0, 0, 5, 0, 0, 0, 0, 0]
    in_ci = [block.text for block in blocks if block.language == "yaml"][1:]
    assert [said[-1][0] in text and bool(yaml.safe_load(text)) for text in in_ci] == [True, True]
    lines = [json.loads(block.text) for block in blocks if block.language == "json"]
    candidate, verdict, review = lines
    for name, line in (("c", candidate), ("v", verdict), ("r", review)):
        write_lines(Path(name), [line])
    assert read_candidate(Path("c")).keys() == {"t0001"}
    assert read_verdicts(Path("v")).keys() == {("t0001", "candidate", "faithfulness")}
    assert read_reviews(Path("r")).keys() == {("t0001", "candidate", "faithfulness")}


def test_reviews_are_asked_blindly_and_decide_as_humans_would(run_gate: Run) -> None:
    """Without reviews it is no look; with a few they are missing; with more it ships."""
    write_judge("{check: empty_answer}")
    gate = (
        "gate: h\nrelease: support@1\nclaim: as_humans\nlooks: 2\n"
        "require: {faithfulness: {at_least: 0.85}}\n"
        "judged: {agreement_at_least: {ac1: 0.5, reviews: 30}}\n"
    )
    Path("h.yaml").write_text(gate, encoding="utf-8")
    write_lines(Path("out.jsonl"), outputs(response=f"Ask {MAIL}."))
    arguments = ("gate", "h.yaml", "--candidate", "out.jsonl", "--verdicts", "verdicts.jsonl")
    ran = run_gate(*arguments)
    assert (ran.returncode, "30 are needed" in ran.stdout, "no look" in ran.stdout) == (
        5,
        True,
        True,
    )

    def drawn(count: int) -> list[dict[str, Any]]:
        """Return the answers to review; they name neither the judge's word nor the candidate."""
        assert (
            run_gate(*arguments, "--ask-reviews", str(count), "--reviews-to", "a").returncode == 0
        )
        text = Path("a").read_text(encoding="utf-8")
        assert (MAIL in text, "verdict" in text, "out.jsonl" in text) == (False, False, False)
        lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        assert (len(lines), lines[0]["question"][:16]) == (count, "When do you open")
        return lines

    def reviewed(lines: list[dict[str, Any]], bad: set[str]) -> tuple[int, dict[str, Any]]:
        said = [each | {"outcome": "fail" if each["row"] in bad else "pass"} for each in lines]
        write_lines(Path("reviews.jsonl"), said)
        ran = run_gate(*arguments, "--reviews", "reviews.jsonl", "--json")
        return ran.returncode, json.loads(ran.stdout or "{}")

    few, many = drawn(40), drawn(200)
    assert {each["row"] for each in few} <= {each["row"] for each in many}
    bad = {each["row"] for each in few[:4]}
    code, found = reviewed(few, bad)
    assert (code, found["looks"], found["requirements"][0]["reviews"]) == (4, 1, 40)
    assert found["requirements"][0]["missing_reviews"] > 10
    agreement = found["agreement"]["faithfulness"]
    assert (agreement["reviews"], agreement["decided"]) == (40, 40)
    assert agreement["agreed"] == sum(
        (int(e["row"][1:]) % 20 == 0) == (e["row"] in bad) for e in few
    )
    assert 0 < agreement["ac1"] < 1
    kept = Path("lake/evaluations", found["run"], "report.md").read_text(encoding="utf-8")
    assert f"what reviewers say of {agreement['agreed']} of 40 answers (AC1 = " in kept
    assert reviewed(many, set())[0] == 2  # reviews that are others now
    code, found = reviewed(many, bad)
    assert (code, found["decision"], found["looks"]) == (0, "ship", 2)


def test_both_answers_to_a_row_are_reviewed_without_saying_whose_they_are(
    run_gate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row stands there with both, in random order; the gate knows which is which."""
    write_judge("{check: empty_answer}")
    monkeypatch.setenv("GOLDPAN_REDACT__POLICY", "policy.yaml")
    Path("m.yaml").write_text(
        "gate: m\nrelease: support@1\nclaim: as_humans\nlooks: 3\n"
        "require: {faithfulness: {no_worse_than_baseline_by: 0.1}}\n"
        "judged: {agreement_at_least: {ac1: 0.5, reviews: 30}}\n",
        encoding="utf-8",
    )
    for name, response in (("out.jsonl", "New."), ("base.jsonl", "Old.")):
        write_lines(Path(name), outputs(response=response))
    both = [verdicts("faithfulness", every=20, side=side) for side in ("candidate", "baseline")]
    write_lines(Path("verdicts.jsonl"), [line for held in both for line in held])
    arguments: tuple[str, ...] = ("gate", "m.yaml", "--candidate", "out.jsonl")
    arguments += ("--verdicts", "verdicts.jsonl")
    ask = ("--reviews-to", "a", "--ask-reviews")
    assert "give --baseline FILE" in run_gate(*arguments, *ask, "40").stderr
    arguments = (*arguments, "--baseline", "base.jsonl")

    def drawn(count: int) -> list[dict[str, Any]]:
        assert run_gate(*arguments, *ask, str(count)).returncode == 0
        text = Path("a").read_text(encoding="utf-8")
        assert ("candidate" in text, "baseline" in text, "side" in text) == (False, False, False)
        lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        assert [each["row"] for each in lines[::2]] == [each["row"] for each in lines[1::2]]
        assert {each["response"] for each in lines[::2]} == {"New.", "Old."}
        return lines

    few, many = drawn(40), drawn(160)
    assert len(few) == 80
    assert {each["answer"] for each in few} < {each["answer"] for each in many}

    def decided_on(lines: list[dict[str, Any]], bad: str | None) -> tuple[int, str]:
        said = [each | {"outcome": "fail" if each["response"] == bad else "pass"} for each in lines]
        write_lines(Path("reviews.jsonl"), said)
        ran = run_gate(*arguments, "--reviews", "reviews.jsonl")
        return ran.returncode, ran.stdout + ran.stderr

    code, text = decided_on(few, None)
    assert (code, "40 rows reviewed on both sides" in text) == (4, True)
    assert "more rows reviewed on both sides" in text
    assert decided_on(many, "Old.")[0] == 2  # reviews of the baseline that are others now
    assert decided_on(many, None)[0] == 0
    strange = [many[0] | {"answer": "0" * 16}, *many[1:]]
    assert "names an answer that this gate has not asked about" in decided_on(strange, None)[1]
    twice = [*many, many[0] | {"answer": None, "side": "candidate"}]
    assert "one of them would be picked" in decided_on(twice, None)[1]


MISTAKES = {
    "not JSON": ("out.jsonl", "{", "line 1"),
    "no row": ("out.jsonl", '{"response": "a"}', "`row`"),
    "no response": ("out.jsonl", '{"row": "t0001"}', "`response`"),
    "two lines for one row": ("out.jsonl", '{"row": "t1", "response": "a"}\n' * 2, "line 2"),
    "a strange row": ("out.jsonl", '{"row": "t9999", "response": "a"}', "1 rows of the candidate"),
    "no outcome": (
        "verdicts.jsonl",
        '{"row": "t0001", "side": "candidate", "metric": "a"}',
        "`outcome`",
    ),
    "no side": ("verdicts.jsonl", '{"row": "t0001", "metric": "a", "value": 1}', "`side`"),
    "an unknown key": (EXAMPLE, "gate: a\nreleases: b\n", "line 2: releases"),
    "nothing required": (EXAMPLE, "gate: a\nrelease: support@1\nrequire: {}\n", "line 3: require"),
    "no such release": (
        EXAMPLE,
        "gate: a\nrelease: x@1\nrequire: {a: {at_least: 1}}\n",
        "no release",
    ),
    "a strange segment": (
        EXAMPLE,
        "gate: a\nrelease: support@1\nrequire: {a: {at_least: 1}}\nsegments: {by: [plan]}\n",
        "segments.<name>",
    ),
}


@pytest.mark.parametrize(("file", "text", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place(run_gate: Run, file: str, text: str, said: str) -> None:
    """Exit code 2, the line or the key, and nothing is kept."""
    Path(file).write_text(text, encoding="utf-8")
    ran = run_gate("gate", EXAMPLE, "--candidate", "out.jsonl", "--verdicts", "verdicts.jsonl")
    assert (ran.returncode, said in ran.stderr) == (2, True), ran.stderr
    assert not Path("lake/evaluations").exists()
