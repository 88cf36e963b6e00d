"""The review queue over tables: what is handed out, what is taken, and what a person sees."""

import json
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batch.labels.calibrator import adjudicate_traces
from batch.reviews.review_export import export_reviews
from batch.reviews.review_table import read_review_log
from batch.reviews.submissions import ReviewSubmission
from goldpan.cli.main import run_command
from goldpan.cli.review import submit
from goldpan.cli.review_output import submit_command
from goldpan.review_submissions import read_reviews
from labels.policy import LabelPolicy
from labels.queue_stats import queue_stats, reviewer_stats
from lake.fences import ERASURE_FENCE
from lake.ledger import EntryKind, LedgerEntry
from lake.live_files import list_live_files
from lake.rewrite import replace_files
from lake.table_commit import TableCommit
from lake.tables import Lake
from schemas.errors import FatalError, UsageError
from schemas.records import Label, Message
from tests.batch.kit import (
    POLICY,
    Clock,
    complaints,
    desk,
    judge,
    labels_of,
    means,
    new_lake,
    open_lake,
    put,
    reconciled,
)
from tests.batch.test_reconcile import world
from tests.labels.kit import NOW, feedback, trace
from tests.lake.kit import commit_context
from tests.servers.worker import TEST_KEY

MINUTE = 60_000_000
LEASE = int(POLICY.review.lease_minutes * MINUTE)


def queued(folder: Path) -> Lake:
    """Return a lake with a dozen items that wait for reviewers."""
    lake = new_lake(folder, world(30))
    reconciled(lake)
    return lake


def several(reviewers: int) -> LabelPolicy:
    """Return the policy with so many reviewers an item."""
    return POLICY.model_copy(
        update={"review": POLICY.review.model_copy(update={"reviewers": reviewers})}
    )


def traces_of(handed: Any) -> list[str]:
    """Return the traces of items."""
    return [one.item.trace_id for one in handed]


def test_a_claim_holds_for_its_lease_and_no_longer(tmp_path: Path) -> None:
    """Nobody else gets the item meanwhile; asking again gives the same; then it is free again."""
    clock = Clock()
    mine = desk(queued(tmp_path), clock=clock)
    (first,) = traces_of(mine.claim("ann", 1))
    assert traces_of(mine.claim("ann", 1)) == [first]
    assert traces_of(mine.claim("ben", 1)) != [first]
    clock.now = NOW + LEASE // 2
    assert traces_of(mine.claim("ann", 1)) == [first]  # and for longer
    clock.now = NOW + LEASE + MINUTE
    assert first not in traces_of(mine.claim("cleo", 3))
    clock.now = NOW + 3 * LEASE
    everything = traces_of(mine.claim("ben", 100))
    assert first in everything
    assert mine.claim("ann", 1) == []


def test_late_work_is_taken_and_counts_once(tmp_path: Path) -> None:
    """A review after its lease counts; sent again it is the same."""
    clock = Clock()
    lake = queued(tmp_path)
    mine = desk(lake, clock=clock)
    (item,) = traces_of(mine.claim("ann", 1))
    clock.now = NOW + 9 * LEASE
    assert judge(mine, item, "ann", submission_id="1").added == [0]
    assert judge(mine, item, "ann", submission_id="1").already_known == [0]
    assert judge(mine, item, "ann").already_known == [0]
    assert "no label event" in judge(mine, "nowhere", "ann").refused[0]
    assert len(read_review_log(lake.table("reviews")).log.reviews) == 1
    assert complaints(lake) == []


def test_an_id_of_a_submission_belongs_to_one_review(tmp_path: Path) -> None:
    """Another trace, reviewer or verdict under an id that has come is refused, and not dropped."""
    lake = queued(tmp_path)
    mine = desk(lake)
    first, second = traces_of(mine.claim("ann", 2))
    assert judge(mine, first, "ann", submission_id="batch-7").added == [0]
    assert "another item" in judge(mine, second, "ann", submission_id="batch-7").refused[0]
    assert "another reviewer" in judge(mine, first, "ben", submission_id="batch-7").refused[0]
    assert (
        "another verdict" in judge(mine, first, "ann", "pass", submission_id="batch-7").refused[0]
    )
    assert judge(mine, first, "ann", submission_id="batch-7").already_known == [0]
    assert judge(mine, second, "ann", submission_id="8").added == [0]
    assert len(read_review_log(lake.table("reviews")).log.reviews) == 2


def said(lake: Lake, item: str) -> list[tuple[str, bool, str | None]]:
    """Return verdict, whether it was replaced, and outcome, of each review of a trace."""
    table = lake.table("reviews")
    table.refresh()
    mine = [line for line in export_reviews(table) if line["trace_id"] == item]
    return [(line["verdict"], line["replaced"], line["outcome"]) for line in mine]


def test_the_last_word_of_a_reviewer_counts(tmp_path: Path) -> None:
    """Corrections and additions are taken, what was said before stays, marked as replaced."""
    lake = queued(tmp_path)
    mine = desk(lake)
    item, other = traces_of(mine.claim("ann", 2))
    verdicts: tuple[Label, ...] = ("unknown", "fail", "fail")
    for number, verdict in enumerate(verdicts):
        assert judge(mine, item, "ann", verdict).already_known == ([0] if number == 2 else [])
    assert said(lake, item) == [("unknown", True, "fail"), ("fail", False, "fail")]
    (tally,) = reviewer_stats(mine.queue())
    assert (tally.reviews, tally.failed) == (1, 1)
    more = ReviewSubmission(0, item, "ann", "fail", expected_response="It comes tomorrow.")
    assert mine.submit([more]).added == [0]
    assert mine.submit([more]).already_known == [0]
    reconciled(lake)
    assert labels_of(lake)[item].expected_response == "It comes tomorrow."
    judge(mine, item, "ann", "pass")
    remark = ReviewSubmission(0, item, "ann", "pass", comment="After all.")
    assert (mine.submit([remark]).added, mine.submit([remark]).already_known) == ([0], [0])
    reconciled(lake)
    after = labels_of(lake)[item]
    judged = [one.kind for one in after.evidence if one.weight and one.kind.startswith("review")]
    assert (judged, after.expected_response) == (["review_pass"], None)
    assert adjudicate_traces(read_review_log(lake.table("reviews")).log).failed == {item: False}
    both = [
        ReviewSubmission(1, other, "ann", "fail"),
        ReviewSubmission(2, other, "ann", "pass"),
    ]
    assert mine.submit(both).added == [1, 2]  # two lines of one file
    assert said(lake, other)[-1] == ("pass", False, "pass")
    assert complaints(lake) == []


def test_a_review_that_is_taken_back_counts_for_nothing(tmp_path: Path) -> None:
    """The label forgets it, the item is open again, and who took it back may judge it again."""
    lake = queued(tmp_path)
    mine = desk(lake)
    (item,) = traces_of(mine.claim("ann", 1))
    before = labels_of(lake)[item]
    assert "to withdraw" in mine.submit([ReviewSubmission(0, item, "ann", None)]).refused[0]
    judge(mine, item, "ann", "fail")
    reconciled(lake)
    assert item not in traces_of(mine.claim("ben", 100))
    assert mine.submit([ReviewSubmission(0, item, "ann", None)]).added == [0]
    assert said(lake, item) == [("fail", True, None), ("withdraw", False, None)]
    reconciled(lake)
    after = labels_of(lake)[item]
    assert (after.label, after.p_fail) == (before.label, before.p_fail)
    assert after.revision > before.revision
    assert queue_stats(mine.queue(), NOW).reviewed == 0
    assert judge(mine, item, "ann", "pass").added == [0]
    assert said(lake, item)[-1] == ("pass", False, "pass")


def test_a_trace_that_never_came_is_counted_and_handed_out_when_it_has(tmp_path: Path) -> None:
    """There is nothing to read of it before; its label is decided again when it comes."""
    votes = [feedback(f"f{n}", "late", value=v, user_id=f"u{n}") for n, v in ((1, 1.0), (2, -1.0))]
    lake = new_lake(tmp_path, [trace("other"), *votes])
    reconciled(lake)
    mine = desk(lake)
    assert traces_of(mine.claim("ben", 9)) == ["other"]
    assert (queue_stats(mine.queue(), NOW).open, queue_stats(mine.queue(), NOW).without_trace) == (
        1,
        1,
    )
    put(lake, [trace("late")], partition=1)
    reconciled(lake)
    assert set(traces_of(mine.claim("ben", 9))) == {"other", "late"}
    assert queue_stats(mine.queue(), NOW).without_trace == 0


@pytest.mark.parametrize("cleared", [0.0, None])
@pytest.mark.parametrize(("kind", "value"), [("thumbs", -1.0), ("rating", 0.0)])
def test_a_vote_that_is_taken_back_is_no_longer_in_force(
    tmp_path: Path, kind: str, value: float, cleared: float | None
) -> None:
    """Clients that let people clear a vote send 0 or nothing; a rating of 0 is a rating."""
    if (kind, cleared) == ("rating", 0.0):
        return
    vote = feedback("f1", "back", kind=kind, value=value, user_id="u")
    lake = new_lake(tmp_path, [trace("back"), vote])
    reconciled(lake)
    before = labels_of(lake)["back"]
    put(lake, [feedback("f2", "back", at=90, kind=kind, value=cleared, user_id="u")], partition=1)
    reconciled(lake)
    after = labels_of(lake)["back"]
    assert before.p_fail > after.p_fail
    assert [one.kind for one in after.evidence if one.weight] == []


def test_an_id_that_stands_twice_in_a_batch_is_refused(tmp_path: Path) -> None:
    """The second of two is refused by its number; sent again, the first is known."""
    lake = queued(tmp_path)
    mine = desk(lake)
    first, second = traces_of(mine.claim("ann", 2))
    both = [
        ReviewSubmission(1, first, "ann", "pass", submission_id="s1"),
        ReviewSubmission(2, second, "ann", "fail", submission_id="s1"),
    ]
    taken = mine.submit(both)
    assert (taken.added, taken.already_known, [*taken.refused]) == ([1], [], [2])
    again = mine.submit(both)
    assert (again.added, again.already_known, [*again.refused]) == ([], [1], [2])


def test_a_clock_outside_all_times_claims_and_judges_nothing(tmp_path: Path) -> None:
    """A lease from 1970 would never hold; the item stays for others."""
    lake = queued(tmp_path)
    broken = desk(lake, clock=Clock(0))
    with pytest.raises(FatalError, match="clock"):
        broken.claim("ann", 1)
    with pytest.raises(FatalError, match="clock"):
        judge(broken, "t0", "ann")
    assert read_review_log(lake.table("reviews")).log.claims == ()


def test_two_who_disagree_call_for_a_third(tmp_path: Path) -> None:
    """Each item goes to as many as the policy asks for, and to one more if they are at odds."""
    mine = desk(queued(tmp_path), several(2))
    (item,) = traces_of(mine.claim("ann", 1))
    judge(mine, item, "ann", "fail")
    assert item in traces_of(mine.claim("ben", 100))
    judge(mine, item, "ben", "pass")
    assert item in traces_of(mine.claim("cleo", 100))
    judge(mine, item, "cleo", "pass")
    assert item not in traces_of(mine.claim("dora", 100))
    assert mine.queue().log.outcomes()[item] == "pass"


def test_a_verdict_becomes_a_label_with_the_answer_that_was_given(tmp_path: Path) -> None:
    """After the next reconcile: revised by the review, and with the reviewer's answer."""
    lake = queued(tmp_path)
    mine = desk(lake)
    (item,) = traces_of(mine.claim("ann", 1))
    before = labels_of(lake)[item]
    judge(mine, item, "ann", "fail", expected_response="Like this.", policy="hash-of-policy")
    outcome = reconciled(lake)
    after = labels_of(lake)[item]
    assert sum(outcome.added.values()) == 1
    assert (after.label, after.expected_response) == ("fail", "Like this.")
    assert after.revision > before.revision + 1000
    table = lake.table("labels")
    rows = table.read(["_policy", "_topic", "expected_response"]).to_pylist()
    assert {
        "_policy": "hash-of-policy",
        "_topic": "#reconcile",
        "expected_response": "Like this.",
    } in rows


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"trace_id,verdict\ntr,pass\n", "looks like CSV"),
        (b'[{"trace_id": "tr", "verdict": "pass"}]', "JSON array"),
        ('{"trace_id": "tr"}'.encode("utf-16"), "is UTF-16"),
    ],
)
def test_a_file_of_another_tool_is_named(data: bytes, told: str) -> None:
    """CSV, an array and UTF-16 are refused as what they are, and not line by line."""
    with pytest.raises(UsageError, match=told):
        read_reviews(data.splitlines(keepends=True))


def test_a_mark_in_front_is_no_content() -> None:
    """A file of reviews may begin with a byte order mark."""
    line = b'\xef\xbb\xbf{"trace_id": "tr", "verdict": "pass"}\n'
    found, refused = read_reviews([line])
    assert (len(found), refused) == (1, {})


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"trace_id": "tr", "verdict": "pass", "reviewer": ""}', "`reviewer` must be text of 1"),
        (b'{"trace_id": "tr", "verdict": "pass", "submission_id": 5}', "`submission_id` must be"),
        (b'{"trace_id": "tr", "verdict": "pass", "expected_response": {}}', "must be text"),
        (b'{"trace_id": "tr"}', "`verdict` must be pass"),
        (b'["tr", "pass"]', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"trace_id": "tr", "verdict": "pass", "zq": {}}', "unknown field"),
    ],
)
def test_a_line_that_is_no_review_is_told_what_it_should_be(line: bytes, told: str) -> None:
    """Each rule is said as one, with the name of the field."""
    _, refused = read_reviews([b"", line])
    assert told in refused[2]


def test_half_a_surrogate_pair_in_a_review_is_read_as_in_a_record() -> None:
    """An editor that cuts a comment leaves one: it is JSON, and becomes U+FFFD."""
    line = b'{"trace_id": "tr", "verdict": "fail", "comment": "cut \\ud83d", "reviewer": "\\ude00"}'
    ((_, sent),), refused = read_reviews([line])
    assert (sent.comment, sent.reviewer, refused) == ("cut \ufffd", "\ufffd", {})


@pytest.mark.parametrize(
    "trace_id", ["tr-7", "a b", "x; rm -rf .", "$(id)", "it's", "-5", "--json", "`id`", "a\nb"]
)
def test_the_command_that_answers_names_one_trace(trace_id: str) -> None:
    """A shell runs nothing of an id, and the command takes none for an option."""
    words = shlex.split(submit_command(trace_id).replace("pass|fail", "pass"))
    assert words[:3] == ["goldpan", "review", "submit"]
    parsed = submit.make_context("submit", words[3:], resilient_parsing=True).params
    assert (parsed["trace_id"], parsed["verdict"]) == (trace_id, "pass")


class Meddling(Clock):
    """A clock that lets an erasure happen when it is asked for the second time."""

    def __init__(self, lake: Lake) -> None:
        super().__init__()
        self._lake, self._asked = lake, 0

    def __call__(self) -> int:
        """Tell the time; the second time, all labels have gone from behind a fence."""
        self._asked += 1
        if self._asked == 2:
            retry, labels = means().retry, self._lake.table("labels")
            labels.refresh()
            entry = LedgerEntry(EntryKind.ERASE, [])
            replace_files(
                labels,
                TableCommit(entry=entry, token=1, removes=list_live_files(labels), adds=[]),
                commit_context(retry),
            )
            ERASURE_FENCE.raise_to(self._lake.table("reviews"), 1, commit_context(retry))
        return super().__call__()


def test_review_of_a_trace_that_is_erased_meanwhile_is_refused(tmp_path: Path) -> None:
    """Labels that were read before the erasure give no review and no claim after it."""
    (item,) = traces_of(desk(queued(tmp_path)).claim("ann", 1))
    lake, other = (open_lake(tmp_path) for _ in range(2))
    before = lake.table("reviews").facts().rows

    assert "no label event" in judge(desk(lake, clock=Meddling(other)), item, "ann").refused[0]
    assert lake.table("reviews").facts().rows == before


def test_nothing_is_handed_out_that_is_erased_meanwhile(tmp_path: Path) -> None:
    """A claim that rests on labels from before the erasure is not written after it."""
    queued(tmp_path)
    lake, other = (open_lake(tmp_path) for _ in range(2))

    assert desk(lake, clock=Meddling(other)).claim("ann", 3) == []
    assert read_review_log(lake.table("reviews")).log.claims == ()


class TestCommands:
    """What people type."""

    @pytest.fixture(autouse=True)
    def queue_settings(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A lake in a folder, and a real redaction policy."""
        policy = tmp_path / "policy.yaml"
        policy.write_text("extends: agent@1\nname: test\naudit: {rate: 0.3, seed: a-test}\n")
        for name, value in {
            "LAKE__URI": str(tmp_path / "lake"),
            "LABELS__POLICY": str(policy),
            "REDACT__KEY": TEST_KEY,
        }.items():
            monkeypatch.setenv(f"GOLDPAN_{name}", value)

    def answer(self, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
        """Run a command and return its JSON."""
        capsys.readouterr()
        assert run_command([*words, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    def lake(self, tmp_path: Path) -> Lake:
        """Return a lake with one conversation that people disagree about, and its label."""
        talk = [
            {"role": "user", "content": "Book me the [early] flight."},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "name": "book", "arguments": '{"flight": 7}'}],
            },
        ]
        asked = feedback("f", "tr", kind="regenerate", value=None, comment="That was the late one.")
        told: dict[str, Any] = {"response": "Booked flight 7.", "segments": {"plan": "pro"}}
        judged = trace("tr", messages=msgspec.convert(talk, list[Message]), **told)
        lake = new_lake(tmp_path / "lake", [judged, asked, trace("other")])
        assert run_command(["labels", "reconcile"]) == 0
        return lake

    def test_an_item_is_shown_so_that_a_person_can_judge(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The conversation, what was said of it, the signals, and the question."""
        self.lake(tmp_path)
        capsys.readouterr()
        assert run_command(["review", "next", "--reviewer", "ann", "--count", "9"]) == 0
        shown = capsys.readouterr().out
        for text in ("Book me the [early] flight.", "assistant calls book", "Booked flight 7."):
            assert text in shown
        assert "end_user regenerate: That was the late one." in shown
        assert "signals: regenerate +1.2" in shown
        assert "Was the answer good" in shown
        blind = self.answer(
            capsys, "review", "next", "--reviewer", "ann", "--count", "9", "--blind"
        )["items"]
        assert {"signals", "feedback", "p_fail"} & {key for item in blind for key in item} == set()

    def test_what_a_reviewer_writes_is_redacted_and_who_it_is_a_pseudonym(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nothing personal reaches the lake or the export, and the same person stays the same."""
        self.lake(tmp_path)
        first = self.answer(capsys, "review", "next", "--reviewer", "ann@example.com")
        (item,) = first["items"]
        said = {
            "trace_id": item["trace_id"],
            "verdict": "fail",
            "comment": "Ask mia.li@example.com or +1 415 555 0134.",
            "expected_response": "Mail mia.li@example.com.",
        }
        file = tmp_path / "reviews.jsonl"
        file.write_text(f"{json.dumps(said)}\n" * 2)
        sent = ("review", "submit", "--file", str(file), "--reviewer", "ann@example.com")
        told = self.answer(capsys, *sent)
        assert (told["added"], told["known"], told["refused"]) == (1, 1, [])
        capsys.readouterr()
        assert run_command(["review", "export"]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        exported = json.loads(line)
        assert exported["reviewer"] == first["reviewer"] != "ann@example.com"
        assert exported["comment"].startswith("Ask <EMAIL_ADDRESS:")
        assert exported["outcome"] == "fail"
        everything = b"".join(p.read_bytes() for p in (tmp_path / "lake").rglob("*") if p.is_file())
        for secret in (b"mia.li", b"415 555", b"ann@"):
            assert secret not in everything
            assert secret.decode() not in line
        assert complaints(open_lake(tmp_path / "lake")) == []

    def test_lines_that_are_no_reviews_are_named_and_the_others_taken(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """By number and rule, without what they hold; the exit code says that there were some."""
        self.lake(tmp_path)
        (item,) = self.answer(capsys, "review", "next")["items"]
        good = {"trace_id": item["trace_id"], "verdict": "pass"}
        lines = [
            json.dumps(good),
            '{"trace_id": "secret',
            json.dumps({**good, "verdict": "secret"}),
            json.dumps({"trace_id": "secret", "verdict": "fail"}),
            json.dumps({**good, "secret": 1}),
            json.dumps({"verdict": "pass"}),
            "",
            json.dumps(good),
        ]
        file = tmp_path / "reviews.jsonl"
        file.write_text("\n".join(lines))
        told = self.answer(capsys, "review", "submit", "--file", str(file), code=1)
        assert (told["added"], told["known"]) == (1, 1)
        assert [one["line"] for one in told["refused"]] == [2, 3, 4, 5, 6]
        assert "secret" not in json.dumps(told)
        assert "`verdict` must be pass, fail, unknown or withdraw" in told["refused"][1]["reason"]

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["tr"], "--verdict pass, fail or unknown"),
            ([], "Name one trace"),
            (["tr", "--verdict", "good"], "Invalid value for '--verdict'"),
            (["nowhere", "--verdict", "pass"], "no label event"),
            (["tr", "--verdict", "pass", "--reviewer", ""], "--reviewer is empty"),
            (["tr", "--verdict", "pass", "--reviewer", "  "], "--reviewer is empty"),
        ],
    )
    def test_wrong_use_is_told_in_one_sentence(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
    ) -> None:
        """Exit code 2, and what would be right."""
        self.lake(tmp_path)
        assert run_command(["review", "submit", *words]) == 2
        assert told in capsys.readouterr().err

    def test_the_queue_is_told_to_people_and_to_machines(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Depth, age, breaches, agreement; as JSON, as text, and as metrics in a file."""
        lake = self.lake(tmp_path)
        put(lake, [feedback(f"x{i}", f"x{i}") for i in range(3)])
        stats = self.answer(capsys, "review", "stats")
        assert stats["open"] == sum(stats["open_by_arm"].values()) > 0
        assert (stats["breached"], stats["alpha"]) == (0, None)
        file = tmp_path / "goldpan.prom"
        assert run_command(["review", "stats", "--textfile", str(file)]) == 0
        text = file.read_text()
        assert f'goldpan_review_open{{arm="audit"}} {float(stats["open_by_arm"]["audit"])}' in text
        assert "goldpan_review_breached 0.0" in text
        assert list(tmp_path.glob(".goldpan.prom*")) == []
        assert run_command(["review", "stats"]) == 0
        assert "past the deadline" in capsys.readouterr().out

    @pytest.mark.parametrize("app", ["[/]", "[beta]", "[red]x[/red]", ":warning:", "a\x1b[2Jb"])
    def test_the_name_of_an_app_is_no_language(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], app: str
    ) -> None:
        """Stored text is shown as it is: as markup it would fail the command, or be left out."""
        lake = self.lake(tmp_path)
        said = [feedback("o1", "odd"), feedback("o2", "odd", value=1.0)]
        put(lake, [trace("odd", app=app), *said])
        assert run_command(["labels", "reconcile"]) == 0
        assert run_command(["review", "stats"]) == 0
        shown = app.replace("\x1b", "\\x1b")
        assert f"app={shown}" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("policy", "told"),
        [
            ("extends: agent\nthresholds: {pass_at_most: 0.9}\n", "line 2: thresholds: contradict"),
            ("extends: agent\nsignals: {thumbs: {points_to: fail}}\n", "line 2"),
            ("off", "GOLDPAN_LABELS__POLICY"),
        ],
    )
    def test_a_policy_that_contradicts_itself_stops_every_command(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        policy: str,
        told: str,
    ) -> None:
        """With the line, and before anything is written."""
        new_lake(tmp_path / "lake", [trace("a"), feedback("f", "a")])
        file = tmp_path / "wrong.yaml"
        file.write_text(policy)
        monkeypatch.setenv("GOLDPAN_LABELS__POLICY", "off" if policy == "off" else str(file))
        for command in (["labels", "reconcile"], ["labels", "calibrate"], ["review", "next"]):
            assert run_command(command) == 2
            assert told in capsys.readouterr().err
        assert labels_of(open_lake(tmp_path / "lake")) == {}

    def test_no_reviews_teach_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """And no file is written; a calibration that is not there is told too."""
        self.lake(tmp_path)
        assert run_command(["labels", "calibrate"]) == 2
        assert "random audit" in capsys.readouterr().err
        assert not (tmp_path / "lake" / "calibrations").exists()
