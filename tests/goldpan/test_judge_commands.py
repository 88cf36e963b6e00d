"""``goldpan judge`` as people use it: what it prints, refuses, stores, and never sends."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from judges.checks.run import what_check_does
from judges.ways import CHECK_NAMES
from schemas.records import Label, Message
from tests.batch.judge.judge_server import AnsweringServer, judge_server
from tests.batch.judge.world import DAY, DEFINITION, asked, put_reviews, stored
from tests.batch.kit import new_lake, open_lake
from tests.docs.pages import code_blocks, read_page
from tests.edges.search import marks_in, marks_in_folder
from tests.redact.light_policy import set_light_policy
from tests.servers.in_process import Run, runner, work_in

ROWS = 12
CANARY = "zaphod.canary@example.org"
DAYS = ("--from", DAY.isoformat())


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    """Run a server of a judge."""
    with judge_server() as made:
        yield made


@pytest.fixture
def run_judge(
    server: AnsweringServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run goldpan beside a lake with traces; the policy is one without a model for names."""
    mail = [Message(role="user", content=f"I am {CANARY}")]
    rows = [asked(number) for number in range(ROWS)]
    new_lake(tmp_path / "lake", [*rows, asked(77, messages=mail)])
    work_in(tmp_path, monkeypatch)
    monkeypatch.setenv("GOLDPAN_JUDGES__URL", server.address)
    set_light_policy(tmp_path, monkeypatch)
    (tmp_path / "judge.yaml").write_text(DEFINITION, encoding="utf-8")
    return runner(capsys)


def test_what_would_be_asked_is_shown_and_nothing_is_sent(
    run_judge: Run, server: AnsweringServer
) -> None:
    """`judge check` names the way, the calls and the price."""
    told = run_judge("judge", "check", "judge.yaml", *DAYS, "--json")
    assert (told.returncode, server.received) == (0, [])
    found = json.loads(told.stdout)
    assert (found["judge"], found["way"], found["model"]) == ("answered", "chat", "m-2026-01-01")
    assert found["estimate"]["calls"] == ROWS + 1
    assert 0 < found["estimate"]["cost_usd"] < 0.1
    assert "13 calls to m-2026-01-01" in run_judge("judge", "check", "judge.yaml", *DAYS).stdout


def test_a_file_is_checked_without_a_lake_or_a_server(
    run_judge: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing to run it is said; a mistake in it is exit code 2, with the line."""
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "nowhere")
    assert run_judge("judge", "check", "judge.yaml").returncode == 0
    monkeypatch.delenv("GOLDPAN_JUDGES__URL")
    told = run_judge("judge", "check", "judge.yaml")
    assert (told.returncode, "set GOLDPAN_JUDGES__URL" in told.stdout) == (0, True)
    found = json.loads(run_judge("judge", "check", "judge.yaml", "--json").stdout)
    assert (found["way"], found["ways"][0]["answers"]) == (None, False)
    assert run_judge("judge", "check", "judge.yaml", *DAYS).returncode == 2
    Path("wrong.yaml").write_text(DEFINITION.replace("by:", "buy:"), encoding="utf-8")
    told = run_judge("judge", "check", "wrong.yaml")
    assert told.returncode == 2
    assert "wrong.yaml" in told.stderr


def test_rows_are_judged_once_and_nothing_personal_leaves(
    run_judge: Run, server: AnsweringServer, tmp_path: Path
) -> None:
    """The row that redaction would still change is an error, and its text is not sent."""
    told = run_judge("judge", "run", "judge.yaml", *DAYS, "--json")
    assert told.returncode == 0
    assert "13 calls to m-2026-01-01, at most" in told.stderr
    found = json.loads(told.stdout)
    assert found["outcomes"] == {
        "drawn": ROWS + 1,
        "pass": ROWS,
        "fail": 0,
        "unknown": 0,
        "not_applicable": 0,
        "error": 1,
        "pending": 0,
        "reasons": {"residue": 1},
    }
    assert found["estimates"][0].keys() >= {
        "estimate", "low", "high", "reviews", "worth_in_reviews"
    }  # fmt: skip
    assert len(server.received) == ROWS
    assert marks_in(b"".join(server.received), [CANARY]) == []
    assert marks_in_folder(tmp_path / "lake" / "judgements", [CANARY]) == []
    again = json.loads(run_judge("judge", "run", "judge.yaml", *DAYS, "--json").stdout)
    assert (again["known"], again["calls"]["made"], len(server.received)) == (ROWS + 1, 0, ROWS)


def test_rows_of_a_file_are_proved_as_well(
    run_judge: Run, server: AnsweringServer, tmp_path: Path
) -> None:
    """They never were redacted; ids and outcomes are those of the lake's rows."""
    rows = [
        {"trace_id": "t0001", "messages": [{"role": "user", "content": "Where is parcel 1?"}],
         "response": "Parcel 1 is on its way."},
        {"trace_id": "f2", "messages": [{"role": "user", "content": f"Mail {CANARY}"}],
         "response": "Done."},
    ]  # fmt: skip
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(lines, encoding="utf-8")
    found = json.loads(
        run_judge("judge", "run", "judge.yaml", "--rows", "rows.jsonl", "--json").stdout
    )
    assert found["outcomes"]["reasons"] == {"residue": 1}
    assert marks_in(b"".join(server.received), [CANARY]) == []
    sent = len(server.received)
    assert json.loads(run_judge("judge", "run", "judge.yaml", *DAYS, "--json").stdout)["known"] == 1
    assert len(server.received) == sent + ROWS - 1


def test_a_wrong_key_says_so_and_stores_nothing(
    run_judge: Run, server: AnsweringServer, tmp_path: Path
) -> None:
    """Exit code 3, and the rows can be judged later."""
    server.status = 401
    told = run_judge("judge", "run", "judge.yaml", *DAYS)
    assert told.returncode == 3
    assert "denies access (status 401)" in told.stderr
    outcomes = {judgement.answer.reason for judgement in stored(open_lake(tmp_path / "lake"))}
    assert outcomes == {"residue"}


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["judge.yaml"], "Name the rows to judge"),
        (["judge.yaml", *DAYS, "--release", "a@1"], "Give one of --release"),
        (["judge.yaml", "--to", "2026-09-21"], "--to needs --from"),
        (["judge.yaml", "--from", "2026-09-22", "--to", "2026-09-21"], "--to is before --from"),
        (["missing.yaml", *DAYS], "cannot be read"),
        (["judge.yaml", "--rows", "none.jsonl"], "cannot be read"),
        (["unpriced.yaml", *DAYS, "--budget", "1"], "has no prices"),
        (["served.yaml", *DAYS], "nothing that can answer it is configured; set OTHER_URL"),
    ],
)
def test_what_is_used_wrongly_is_refused(
    run_judge: Run, server: AnsweringServer, tmp_path: Path, args: list[str], says: str
) -> None:
    """Exit code 2 and one sentence; nobody is asked."""
    unpriced = "".join(line for line in DEFINITION.splitlines(keepends=True) if "cost" not in line)
    (tmp_path / "unpriced.yaml").write_text(unpriced, encoding="utf-8")
    other = DEFINITION.replace("{chat: m-2026-01-01}", "{chat: m-1, url_env: OTHER_URL}")
    (tmp_path / "served.yaml").write_text(other, encoding="utf-8")
    told = run_judge("judge", "run", *args)
    assert (told.returncode, server.received) == (2, [])
    assert says in told.stderr


def test_a_host_that_is_not_listed_gets_nothing(
    run_judge: Run, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the host and the setting."""
    monkeypatch.setenv("GOLDPAN_JUDGES__URL", "https://judge.example.com/v1")
    told = run_judge("judge", "run", "judge.yaml", *DAYS)
    assert told.returncode == 2
    assert "judge.example.com" in told.stderr
    assert "GOLDPAN_JUDGES__ALLOWED_HOSTS" in told.stderr


def test_verdicts_from_elsewhere_are_judgements(run_judge: Run, tmp_path: Path) -> None:
    """Texts are redacted, bad lines are refused with exit code 1, and a second import adds none."""
    lines = [
        {"subject": "t0001", "judge": "theirs", "outcome": "pass", "p_fail": 0.1},
        {"subject": "t0002", "judge": "theirs", "outcome": "fail", "reason": f"says {CANARY}"},
        {"subject": "t0003", "judge": "theirs", "outcome": "error", "reason": "HTTP 500"},
        {"subject": "t0004", "judge": "theirs", "outcome": "error", "reason": "timeout"},
        {"subject": "t0005", "judge": "theirs", "outcome": "maybe"},
        {"subject": "t0006", "judge": "theirs", "outcome": "pass", "score": 1},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "verdicts.jsonl").write_text(text, encoding="utf-8")
    told = run_judge("judge", "import", "verdicts.jsonl", "--json")
    assert told.returncode == 1
    found = json.loads(told.stdout)
    assert (found["added"], found["already_known"]) == (4, 0)
    assert found["outcomes"] == {"pass": 1, "fail": 1, "error": 2}
    assert found["refused"]["5"].startswith("`outcome` must be")
    assert "unknown field" in found["refused"]["6"]
    assert marks_in_folder(tmp_path / "lake" / "judgements", [CANARY]) == []
    again = json.loads(run_judge("judge", "import", "verdicts.jsonl", "--json").stdout)
    assert (again["added"], again["already_known"]) == (0, 4)
    (judge,) = json.loads(run_judge("judge", "agreement", "theirs", "--json").stdout)["judges"]
    assert (judge["judge"], judge["outcomes"]["drawn"]) == ("theirs", 4)
    assert judge["outcomes"]["reasons"] == {"timeout": 1, "unavailable": 1}


def test_verdicts_are_written_as_feedback(run_judge: Run, tmp_path: Path) -> None:
    """Those that say something of a trace; how many say nothing is printed."""
    assert run_judge("judge", "run", "judge.yaml", *DAYS).returncode == 0
    export = ("judge", "export", "answered", "--to", "feedback", "--out", "out")
    found = json.loads(run_judge(*export, "--json").stdout)
    assert (found["judgements"], found["left_out"], found["outcomes"]["pass"]) == (ROWS, 1, ROWS)
    lines = (tmp_path / "out" / "answered.feedback.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["trace_id"] for line in lines} == {f"t{n:04}" for n in range(ROWS)}
    assert "1 judgement left out" in run_judge(*export).stdout


def test_reviews_of_the_audit_say_what_the_judge_does_not(
    run_judge: Run, server: AnsweringServer, tmp_path: Path
) -> None:
    """The judge passes all; the reviewers of half of the rows pass two thirds of them."""
    verdicts: dict[str, Label] = {
        f"t{number:04}": "fail" if number % 3 == 0 else "pass" for number in range(0, ROWS, 2)
    }
    lake = open_lake(tmp_path / "lake")
    put_reviews(lake, verdicts, 0.5)
    put_reviews(lake, {"t0001": "fail"}, None)
    found = json.loads(run_judge("judge", "run", "judge.yaml", *DAYS, "--json").stdout)
    judged, corrected = found["estimates"]
    assert judged["estimate"] == 1.0
    assert (corrected["claim"], corrected["reviews"]) == ("as_humans", ROWS // 2)
    assert corrected["estimate"] == pytest.approx(2 / 3)
    assert "as reviewers would say: 66.7%" in run_judge("judge", "run", "judge.yaml", *DAYS).stdout
    (judge,) = json.loads(run_judge("judge", "agreement", "--json").stdout)["judges"]
    assert judge["confusion"]["pass"] == {"good": 4, "bad": 2}
    assert (judge["reviews"], judge["reviews_without_probability"]) == (6, 1)
    told = run_judge("judge", "agreement").stdout
    assert "100 reviews with this judge are worth 100" in told
    assert "1 review without a known probability" in told


def test_the_commands_of_the_page_run(
    run_judge: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the judge and the verdict of docs/judges.md; the release is a file here."""
    page = "docs/judges.md"
    blocks = {block.language: block.text for block in reversed(code_blocks(page))}
    (tmp_path / "faithfulness.yaml").write_text(blocks["yaml"], encoding="utf-8")
    (tmp_path / "verdicts.jsonl").write_text(blocks["json"], encoding="utf-8")
    row = {"trace_id": "a", "messages": [{"role": "user", "content": "When?"}], "response": "At 9."}
    (tmp_path / "answers.jsonl").write_text(json.dumps(row), encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "100")
    commands = [line.partition("#")[0].split()[1:] for line in blocks["sh"].splitlines()]
    assert {arguments[1] for arguments in commands} == {
        "check", "run", "agreement", "metrics", "import"
    }  # fmt: skip
    for arguments in commands:
        if "--release" in arguments:
            at = arguments.index("--release")
            arguments[at : at + 2] = ["--rows", "answers.jsonl"]
        told = run_judge(*arguments)
        assert (told.returncode, told.stderr.count("goldpan:")) == (0, 0), arguments


@pytest.mark.parametrize("page", ["chat.md", "check.md", "decision.md", "local.md"])
def test_the_page_of_each_way_runs(
    run_judge: Run, server: AnsweringServer, tmp_path: Path, page: str
) -> None:
    """Its judge is answered by the way that the page is about, and by no other."""
    blocks = {block.language: block.text for block in code_blocks(f"docs/judges/{page}")}
    way = page.removesuffix(".md")
    row = {
        "trace_id": "a",
        "messages": [{"role": "user", "content": "When?"}],
        "response": "At 9.",
        "retrieved": [{"document_id": "d", "text": "It opens at 9."}],
        "tool_calls": [{"id": "c", "name": "look_up", "arguments": "{}", "result": "9"}],
    }
    (tmp_path / "answers.jsonl").write_text(json.dumps(row), encoding="utf-8")
    for line in blocks["sh"].splitlines():
        arguments = line.partition("#")[0].split()[1:]
        (tmp_path / arguments[2]).write_text(blocks["yaml"], encoding="utf-8")
        told = run_judge(*arguments, "--json")
        assert told.returncode == 0, told.stderr
        found = json.loads(told.stdout)
        assert found["way"] == way
    assert found["outcomes"]["error"] == 0
    assert len(server.received) == (1 if way in ("chat", "decision") else 0)


def test_the_page_of_checks_lists_them_all() -> None:
    """Each with what it does, as the code says."""
    rows = [line.split("|")[1:3] for line in read_page("docs/judges/check.md").splitlines()[20:]]
    listed = {cells[0].strip(): cells[1].strip() for cells in rows if len(cells) == 2}
    for name in CHECK_NAMES:
        assert listed[f"`{name}`"] == what_check_does(name).removeprefix("Pass ").rstrip(".")


def test_agreement_without_any_judge_says_what_to_do(run_judge: Run) -> None:
    """An empty table is no error; a name that nobody has is one."""
    assert "goldpan judge run" in run_judge("judge", "agreement").stdout
    assert run_judge("judge", "agreement", "nobody").returncode == 2
