"""``goldpan gate --ask-reviews``: answers go into the review queue, and their reviews decide."""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest

from batch.reviews.answer_table import read_answers
from batch.reviews.review_table import read_review_log
from schemas.arrow import ANSWER_REVIEWS_TABLE
from tests.batch.gate.world import outputs, publish_release, verdicts, write_lines
from tests.batch.kit import complaints, events, open_lake, reconciled
from tests.docs.pages import code_blocks
from tests.edges.search import marks_in_folder
from tests.redact.light_policy import set_light_policy
from tests.servers.in_process import Run, runner, work_in

ROWS = 150
MAIL = "ada@example.org"
SAYS_NOTHING = "I say nothing"
GATE = """
gate: h
release: support@1
claim: as_humans
looks: 3
require: {generation.faithfulness: {at_least: 0.85}}
judged: {agreement_at_least: {ac1: 0.5, reviews: 20}}
"""
ARGUMENTS = ("gate", "h.yaml", "--candidate", "out.jsonl", "--verdicts", "verdicts.jsonl")
ASK = (*ARGUMENTS, "--ask-reviews")


ANSWER_ID = "ANSWER_ID"
"""Stands for an id on the page."""


@pytest.fixture(scope="module")
def asked_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake and a release; only read."""
    folder = tmp_path_factory.mktemp("asked")
    publish_release(folder, ROWS)
    return folder / "lake"


@pytest.fixture
def run_asked(
    asked_lake: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run goldpan beside a lake with a release, a gate, and a candidate that writes an address."""
    copytree(asked_lake, tmp_path / "lake")
    work_in(tmp_path, monkeypatch)
    set_light_policy(Path(), monkeypatch)
    Path("h.yaml").write_text(GATE, encoding="utf-8")
    said = outputs(ROWS, response=lambda n: f"{SAYS_NOTHING if n % 20 == 0 else 'Ask'} {MAIL}.")
    write_lines(Path("out.jsonl"), said)
    write_lines(Path("verdicts.jsonl"), verdicts("faithfulness", every=20, rows=ROWS))
    return runner(capsys)


def said(run: Run, *arguments: str) -> dict[str, Any]:
    """Return the JSON that a command prints, and its exit code."""
    ran = run(*arguments, "--json")
    assert ran.stderr == ""
    found: dict[str, Any] = json.loads(ran.stdout)
    return found | {"code": ran.returncode}


def handed_out(run: Run, reviewer: str = "ann", count: int = 100) -> list[dict[str, Any]]:
    """Return the next items of a reviewer."""
    options = ("--reviewer", reviewer, "--count", str(count), "--only", "answers")
    told = said(run, "review", "next", *options)
    items: list[dict[str, Any]] = told["items"]
    return items


def honest(item: dict[str, Any]) -> str:
    """Return the verdict on an answer: those that say nothing are bad."""
    return "fail" if SAYS_NOTHING in item["conversation"]["response"] else "pass"


def review_all(
    run: Run, reviewer: str = "ann", verdict: Callable[[dict[str, Any]], str] = honest
) -> int:
    """Review all that is handed out; return how many answers that were."""
    count = 0
    while items := handed_out(run, reviewer):
        lines = [{"answer_id": each["answer_id"], "verdict": verdict(each)} for each in items]
        write_lines(Path("reviews.jsonl"), lines)
        told = said(run, "review", "submit", "--file", "reviews.jsonl", "--reviewer", reviewer)
        assert (told["added"], told["refused"]) == (len(items), [])
        count += len(items)
    return count


def test_asked_answers_are_reviewed_and_then_it_ships(run_asked: Run) -> None:
    """Without reviews it cannot be told, with a few they are missing, with more it ships."""
    assert said(run_asked, *ARGUMENTS)["code"] == 5
    assert said(run_asked, *ASK, "30") == {"added": 30, "known": 0, "code": 0}
    assert review_all(run_asked) == 30
    few = said(run_asked, *ARGUMENTS)
    (open_,) = few["requirements"]
    assert (few["decision"], few["looks"], open_["reviews"]) == ("not_enough_evidence", 1, 30)
    assert said(run_asked, *ARGUMENTS)["run"] == few["run"]  # the same reviews are the same look

    assert said(run_asked, *ASK, "120") == {"added": 90, "known": 30, "code": 0}
    assert review_all(run_asked) == 90
    many = said(run_asked, *ARGUMENTS)
    assert (many["decision"], many["code"], many["looks"]) == ("ship", 0, 2)
    assert many["requirements"][0]["reviews"] == 120
    assert many["agreement"]["faithfulness"]["agreed"] == 120
    assert said(run_asked, *ASK, "30") == {
        "added": 0,
        "known": 30,
        "code": 0,
    }  # nothing is asked twice
    assert complaints(open_lake("lake")) == []


def test_the_lake_and_a_file_say_the_same(run_asked: Run) -> None:
    """The draw is the file's: rows, probabilities of the larger draw, and so the decision."""
    said(run_asked, *ASK, "30")
    said(run_asked, *ASK, "120")
    assert run_asked(*ASK, "120", "--reviews-to", "drawn.jsonl").returncode == 0
    lines = [json.loads(line) for line in Path("drawn.jsonl").read_text().splitlines()]
    stored = read_answers(open_lake("lake").table(ANSWER_REVIEWS_TABLE)).answers.values()
    assert {(each.trace_id, each.probability) for each in stored} == {
        (line["row"], line["probability"]) for line in lines
    }
    review_all(run_asked)
    asked = said(run_asked, *ARGUMENTS)
    wrong = [line | {"outcome": "fail"} for line in lines]
    write_lines(Path("reviews.jsonl"), wrong)
    refused = run_asked(*ARGUMENTS, "--reviews", "reviews.jsonl")
    assert (refused.returncode, "says something else of" in refused.stderr) == (2, True)

    right = [
        line | {"outcome": "fail" if SAYS_NOTHING in line["response"] else "pass"} for line in lines
    ]
    write_lines(Path("reviews.jsonl"), right)
    assert said(run_asked, *ARGUMENTS, "--reviews", "reviews.jsonl")["run"] == asked["run"]
    rmtree(f"lake/{ANSWER_REVIEWS_TABLE}")  # as in a lake of an earlier version
    rmtree("lake/evaluations")
    alone = said(run_asked, *ARGUMENTS, "--reviews", "reviews.jsonl")
    assert alone["requirements"] == asked["requirements"]
    assert "goldpan lake upgrade" in run_asked(*ASK, "30").stderr


def test_reviewers_are_blind(run_asked: Run) -> None:
    """They see the question and the answer, redacted, and neither the judge nor the candidate."""
    said(run_asked, *ASK, "60")
    items = handed_out(run_asked)
    assert len(items) == 60
    assert {name for item in items for name in item} == {
        "answer_id", "claimed_until", "metric", "asked", "conversation"
    }  # fmt: skip
    asked = items[0]["conversation"]["messages"][0]["content"]
    assert asked.startswith("When do you open on day")
    assert "<EMAIL_ADDRESS:" in items[0]["conversation"]["response"]
    assert items[0]["conversation"]["retrieved"][0]["document_id"] == "opening-hours"
    assert "faithfulness" in items[0]["asked"]
    stored = read_answers(open_lake("lake").table(ANSWER_REVIEWS_TABLE)).answers.values()
    digest = next(iter(stored)).source.candidate_digest
    shown = run_asked("review", "next", "--reviewer", "ann", "--count", "100").stdout
    for text in (json.dumps(items), shown):
        assert not any(
            word in text for word in ("out.jsonl", digest, "candidate", MAIL, "support@")
        )
    places = [int(each.trace_id[1:]) % 20 == 0 for each in stored]
    assert any(places[:30])  # the order of the draw tells nothing of the verdict
    assert any(places[30:])
    assert marks_in_folder(Path("lake"), [MAIL]) == []


def test_what_a_judge_asks_is_asked(run_asked: Run) -> None:
    """With the judge's file reviewers are asked its own sentence."""
    judge = (
        "judge: answered\nversion: 1\nasks: The answer is not empty.\nby: [{check: empty_answer}]\n"
    )
    Path("judge.yaml").write_text(judge, encoding="utf-8")
    Path("h.yaml").write_text(GATE.replace("generation.faithfulness", "answered"), encoding="utf-8")
    ask = ("gate", "h.yaml", "--candidate", "out.jsonl", "--judge", "judge.yaml")
    assert said(run_asked, *ask, "--ask-reviews", "5")["added"] == 5
    (item,) = handed_out(run_asked, count=1)
    assert "The answer is not empty." in item["asked"]
    assert "unknown" in item["asked"]


def test_the_commands_of_the_page_run(run_asked: Run) -> None:
    """Those about answers, with the id of one that was handed out."""
    assert run_asked(*ASK, "4").returncode == 0
    blocks = [block.text for block in code_blocks("docs/reviews.md") if ANSWER_ID in block.text]
    for line in "\n".join(blocks).splitlines():
        answer_id = next(iter(handed_out(run_asked)))["answer_id"]
        words = line.removeprefix("goldpan ").replace(ANSWER_ID, answer_id).split()
        assert run_asked(*words).returncode == 0, line
    assert len(handed_out(run_asked)) == 3


def test_no_label_rests_on_a_review_of_a_candidates_answer(run_asked: Run) -> None:
    """Labels, calibration, statistics and export of traces are those of before."""
    lake = open_lake("lake")
    reconciled(lake)
    before = [event.label_event_id for event in events(lake)]

    def calibrated() -> tuple[int, str, str]:
        ran = run_asked("labels", "calibrate", "--json")
        return ran.returncode, ran.stdout, ran.stderr

    none = calibrated()
    stats, exported = said(run_asked, "review", "stats"), run_asked("review", "export").stdout
    said(run_asked, *ASK, "60")
    both = said(run_asked, "review", "next", "--reviewer", "ann", "--count", "61")["items"]
    assert ["trace_id" in item for item in both] == [False] * 60 + [True]
    review_all(run_asked, verdict=lambda _: "fail")
    lake = open_lake("lake")
    reconciled(lake)
    assert [event.label_event_id for event in events(lake)] == before
    assert read_review_log(lake.table("reviews")).log.reviews == ()
    assert calibrated() == none
    assert run_asked("review", "export").stdout == exported == ""
    now = said(run_asked, "review", "stats")
    assert now["answers"] == {
        "asked": 60, "open": 0, "claimed": 0, "reviewed": 60, "undecided": 0
    }  # fmt: skip
    assert now["reviewers"] == stats["reviewers"] == []
    assert now["reviewed"] == 0
    lines = run_asked("review", "export", "--answers").stdout.splitlines()
    assert {json.loads(line)["outcome"] for line in lines} == {"fail"}
    assert len(lines) == 60


def test_an_id_of_one_kind_is_no_id_of_the_other(run_asked: Run) -> None:
    """An answer cannot be reviewed as a trace, nor a trace as an answer."""
    said(run_asked, *ASK, "1")
    (item,) = handed_out(run_asked)
    answer_id = item["answer_id"]
    as_trace = run_asked("review", "submit", answer_id, "--verdict", "pass", "--reviewer", "ann")
    assert (as_trace.returncode, "no label event" in as_trace.stderr) == (2, True)
    strange = "0" * 64
    lines = [
        {"answer_id": strange, "verdict": "pass"},
        {"answer_id": "t0001", "verdict": "pass"},
        {"answer_id": answer_id, "trace_id": "t0001", "verdict": "pass"},
        {"verdict": "pass"},
        {"answer_id": answer_id, "verdict": "fail", "expected_response": "At ten."},
        {"answer_id": answer_id, "verdict": "withdraw"},
        {"answer_id": answer_id, "verdict": "pass", "comment": f"Write to {MAIL}."},
    ]
    write_lines(Path("reviews.jsonl"), lines)
    told = said(run_asked, "review", "submit", "--file", "reviews.jsonl", "--reviewer", "ann")
    assert (told["added"], [each["line"] for each in told["refused"]]) == (1, [1, 2, 3, 4, 5, 6])
    (line,) = run_asked("review", "export", "--answers").stdout.splitlines()
    assert "<EMAIL_ADDRESS:" in json.loads(line)["comment"]
    assert marks_in_folder(Path("lake"), [MAIL]) == []


def submit(run: Run, answer_ids: Collection[str], verdict: str, reviewer: str) -> None:
    """Submit one verdict on answers."""
    for answer_id in answer_ids:
        options = ("--answer-id", answer_id, "--verdict", verdict, "--reviewer", reviewer)
        assert run("review", "submit", *options).returncode == 0


def test_several_reviewers_must_agree_and_withdrawn_reviews_do_not_count(
    run_asked: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than half decide; what is disputed, unknown or not complete counts as not reviewed."""
    labels = "extends: chat_support\nname: mine\nversion: 3\nreview: {reviewers: 2}\n"
    Path("labels.yaml").write_text(labels, encoding="utf-8")
    monkeypatch.setenv("GOLDPAN_LABELS__POLICY", "labels.yaml")
    said(run_asked, *ASK, "30")
    review_all(run_asked, "ann")
    assert said(run_asked, *ARGUMENTS)["code"] == 5  # each waits for another reviewer
    assert review_all(run_asked, "ben") == 30
    ids = list(read_answers(open_lake("lake").table(ANSWER_REVIEWS_TABLE)).answers)
    submit(run_asked, ids[:1], "withdraw", "ann")
    submit(run_asked, ids[1:2], "unknown", "ben")
    found = said(run_asked, *ARGUMENTS)
    assert (found["looks"], found["requirements"][0]["reviews"]) == (1, 28)
    (third,) = (
        item["answer_id"] for item in handed_out(run_asked, "cem") if item["answer_id"] == ids[1]
    )
    submit(run_asked, [third], "pass", "cem")
    submit(run_asked, ids[:1], "pass", "ann")
    found = said(run_asked, *ARGUMENTS)
    assert (found["looks"], found["requirements"][0]["reviews"]) == (2, 30)
    submit(run_asked, ids[5:6], "withdraw", "ann")  # what a look rested on is gone
    refused = run_asked(*ARGUMENTS)
    assert (refused.returncode, "or are gone" in refused.stderr) == (2, True)


def test_reviews_are_asked_only_where_they_decide(run_asked: Run) -> None:
    """A gate that claims what judges say has no use for them, and does not read them."""
    said(run_asked, *ASK, "30")
    review_all(run_asked)
    as_judged = GATE.replace("as_humans", "as_judged")
    Path("h.yaml").write_text(as_judged, encoding="utf-8")
    refused = run_asked(*ASK, "30")
    assert (refused.returncode, "claim: as_humans" in refused.stderr) == (2, True)
    assert said(run_asked, *ARGUMENTS)["agreement"] == {}
    assert run_asked(*ARGUMENTS, "--reviews-to", "x").returncode == 2


def test_another_candidate_has_reviews_of_its_own(run_asked: Run) -> None:
    """The same answers of other outputs are asked about again, and count for them alone."""
    said(run_asked, *ASK, "30")
    review_all(run_asked)
    write_lines(Path("out.jsonl"), outputs(ROWS, response="At ten."))
    assert said(run_asked, *ARGUMENTS)["code"] == 5
    assert said(run_asked, *ASK, "30")["added"] == 30


def test_both_answers_to_a_row_are_asked_about_where_a_difference_is_claimed(
    run_asked: Run,
) -> None:
    """They stand side by side, drawn together, and nothing says which is the candidate's."""
    Path("h.yaml").write_text(GATE.replace("at_least: 0.85", "no_worse_than_baseline_by: 0.2"))
    said_before = outputs(ROWS, response=lambda n: SAYS_NOTHING if n % 20 == 1 else "Ask Bob.")
    write_lines(Path("base.jsonl"), said_before)
    both = [
        *verdicts("faithfulness", every=20, rows=ROWS),
        *(
            each | {"side": "baseline", "outcome": "fail" if n % 20 == 1 else "pass"}
            for n, each in enumerate(verdicts("faithfulness", every=20, rows=ROWS))
        ),
    ]
    write_lines(Path("verdicts.jsonl"), both)
    arguments = (*ARGUMENTS, "--baseline", "base.jsonl")
    assert said(run_asked, *arguments, "--ask-reviews", "120")["added"] == 240
    items = handed_out(run_asked)
    questions = [item["conversation"]["messages"][0]["content"] for item in items]
    assert questions[::2] == questions[1::2]
    stored = list(read_answers(open_lake("lake").table(ANSWER_REVIEWS_TABLE)).answers.values())
    assert {(each.source.baseline_digest is None, each.probability > 0) for each in stored} == {
        (False, True)
    }
    assert {each.side for each in stored[::2]} == {"candidate", "baseline"}
    assert [each.probability for each in stored[::2]] == [e.probability for e in stored[1::2]]
    assert review_all(run_asked) == 240
    found = said(run_asked, *arguments)
    assert (found["decision"], found["requirements"][0]["reviews"]) == ("ship", 120)
