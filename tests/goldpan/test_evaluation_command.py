"""``goldpan evaluation``: what kept runs show, and that an erasure leaves nothing there."""

import json
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from shutil import copytree
from typing import Any

import pyarrow.parquet as pq
import pytest

from batch.gate.kept_answers import decode_answers
from batch.gate.run_store import ANSWERS, CHECKSUMS, RUN
from batch.release.publish.build import draft_release, publish_draft
from lake.snapshot import open_snapshot
from schemas.errors import FatalError
from schemas.records import Message, Trace
from tests.batch.erase.world import PERSON, PLACEHOLDER, TOKEN, USER, person
from tests.batch.gate.world import STARTED, trace_id, verdicts, write_lines
from tests.batch.kit import new_lake
from tests.batch.release.kit import OPTIONS, open_repository, spec
from tests.batch.release.people import WHOLE
from tests.edges.search import marks_in, marks_in_folder
from tests.redact.light_policy import set_light_policy
from tests.servers.in_process import Run, runner, work_in

ROWS = 40
OWN = range(4)
NAMES = 4
"""The row whose question names the person."""
ANSWERED_ABOUT = 10
"""The row of somebody else whose candidate names the person."""
ERASED = 5
SECRET = "the violet umbrella of gate 77"
GATE = (
    "gate: g\nrelease: support@1\nlooks: 3\n"
    "require: {faithfulness: {no_worse_than_baseline_by: .1}, latency_p95_ms: {at_most: 900}}\n"
)
CANARIES = ("zaphod.canary@example.org", "4556737586899855", "+49 30 901820")


@pytest.fixture(scope="module")
def answered_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with rows of a person, one of another that names her, and a release of them all."""
    folder = tmp_path_factory.mktemp("evaluation") / "lake"

    def asked(number: int) -> Trace:
        about = f" Ask {PLACEHOLDER}." if number == NAMES else ""
        return Trace(
            trace_id=trace_id(number),
            session_id=f"s{number}",
            user_id=USER if number in OWN else person(f"other-{number}"),
            app="support",
            started_at=STARTED + number,
            status="ok",
            messages=[Message(role="user", content=f"When do you open on day {number}?{about}")],
            response="At nine.",
        )

    lake = new_lake(folder, [asked(number) for number in range(ROWS)])
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    draft = draft_release(spec(**WHOLE | {"size": ROWS}), traces, labels, OPTIONS)
    publish_draft(draft, open_repository(folder / "releases"))
    return folder


@pytest.fixture
def run_kept(
    answered_lake: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run goldpan beside a copy of the lake, with the files of a gate."""
    copytree(answered_lake, tmp_path / "lake")
    work_in(tmp_path, monkeypatch)
    set_light_policy(tmp_path, monkeypatch)
    (tmp_path / "gate.yaml").write_text(GATE, encoding="utf-8")
    write_lines(tmp_path / "old.jsonl", answers("At nine, as ever."))
    write_lines(tmp_path / "new.jsonl", answers(_of_candidate))
    judged = [
        *verdicts("faithfulness", every=9, rows=ROWS, side="baseline"),
        *verdicts("faithfulness", every=2, rows=ROWS),
    ]
    write_lines(tmp_path / "verdicts.jsonl", judged)
    return runner(capsys)


def _of_candidate(number: int) -> str:
    if number in OWN:
        return f"At ten, {SECRET}."
    return f"Ask {PLACEHOLDER}." if number == ANSWERED_ABOUT else f"At ten on day {number}."


def answers(response: str | Callable[[int], str]) -> list[dict[str, Any]]:
    """Return outputs with these responses."""
    return [
        {
            "row": trace_id(number),
            "response": response if isinstance(response, str) else response(number),
            "latency_ms": 800,
        }
        for number in range(ROWS)
    ]


_SALT = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
ARGUMENTS = (
    "gate", "gate.yaml", "--candidate", "new.jsonl", "--baseline", "old.jsonl",
    "--verdicts", "verdicts.jsonl",
)  # fmt: skip


def kept_run(run_kept: Run, *more: str) -> str:
    """Run the gate, and return the name of the run."""
    ran = run_kept(*ARGUMENTS, *more, "--json")
    assert (ran.returncode, ran.stderr) == (1, "")
    name: str = json.loads(ran.stdout)["run"]
    return name


def folder_of(name: str) -> Path:
    """Return the folder of a run."""
    return Path("lake/evaluations", name)


def salt_texts(folder: Path) -> set[str]:
    """Return everything in any file of a folder that looks like a salt: 32 hex digits."""

    def texts() -> Iterator[str]:
        for path in folder.rglob("*"):
            if not path.is_file():
                continue
            yield path.read_bytes().decode("latin-1")
            if path.suffix == ".parquet":
                yield repr(pq.read_table(path).to_pylist())

    return {salt for text in texts() for salt in _SALT.findall(text)}


def opened_with(name: str, data: bytes, salts: set[str]) -> str:
    """Return all answers of a run that salts open, as text."""
    digest = json.loads((folder_of(name) / RUN).read_text())["digest"]
    return repr(decode_answers(data, digest, ANSWERS).open(salts))


def test_an_erasure_leaves_no_byte_of_the_answers(run_kept: Run) -> None:
    """The run keeps its bytes and verifies; no salt that is left anywhere opens the answers."""
    name = kept_run(run_kept, "--report", "before.html", "--changed", "before.jsonl")
    page = Path("before.html").read_text(encoding="utf-8")
    assert marks_in(page + Path("before.jsonl").read_text(), [SECRET]) == [SECRET]
    assert marks_in_folder(Path("lake/evaluations"), [SECRET, PERSON, TOKEN]) == []
    folder = folder_of(name)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    told = opened_with(name, before[ANSWERS], salt_texts(Path("lake/releases")))
    assert (told.count(SECRET), told.count(PLACEHOLDER)) == (len(OWN), 1)

    would = json.loads(run_kept("erase", "--subject", PERSON, "--dry-run", "--json").stdout)
    assert would["evaluations"] == [{"run": name, "answers": 1}]
    done = run_kept("erase", "--subject", PERSON, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["receipt"]["evaluations"] == would["evaluations"]

    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {ANSWERS}
    left = salt_texts(Path("lake"))
    for data in (before[ANSWERS], after[ANSWERS]):
        assert SECRET not in opened_with(name, data, left)
    assert marks_in(opened_with(name, after[ANSWERS], left), [PERSON, TOKEN]) == []
    assert marks_in_folder(Path("lake"), [SECRET, PERSON, TOKEN]) == []

    shown = run_kept(
        "evaluation", "show", name, "--report", "after.html", "--changed", "after.jsonl"
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"{ERASED} rows of this run were erased" in shown.stdout
    files = Path("after.html").read_text() + Path("after.jsonl").read_text()
    assert marks_in(files, [SECRET, PERSON, TOKEN]) == []
    assert "At ten on day 12." in files
    assert run_kept("release", "verify", "support@1.0.0").returncode == 0


def test_the_same_gate_runs_again_after_an_erasure(run_kept: Run) -> None:
    """It is the same look, without the rows that are gone; what is kept keeps its bytes."""
    name = kept_run(run_kept)
    assert run_kept("erase", "--subject", PERSON).returncode == 0
    kept = {path: path.read_bytes() for path in folder_of(name).iterdir()}
    again = run_kept(*ARGUMENTS)
    assert f"the same as the kept run {name}" in again.stdout
    assert again.stdout.splitlines()[1].startswith(f"{ROWS - ERASED} rows")
    assert {path: path.read_bytes() for path in folder_of(name).iterdir()} == kept
    assert run_kept("erase", "--subject", PERSON).stdout.startswith("already erased")


def test_answers_that_name_a_person_are_found_later_too(run_kept: Run) -> None:
    """A run that is kept after an erasure may name the person again: the next one removes it."""
    assert run_kept("erase", "--subject", PERSON).returncode == 0
    name = kept_run(run_kept)
    assert json.loads(run_kept("evaluation", "show", name, "--json").stdout)["erased_rows"] == 0
    done = json.loads(run_kept("erase", "--subject", PERSON, "--json").stdout)
    assert (done["found"], done["again"]) == (True, False)
    shown = json.loads(run_kept("evaluation", "show", name, "--json").stdout)
    assert shown["answers"] == {"candidate": ROWS - ERASED, "baseline": ROWS - ERASED}
    assert shown["readable_answers"] == {"candidate": ROWS - ERASED - 1, "baseline": ROWS - ERASED}


def test_runs_are_listed_and_shown_as_they_were_decided(run_kept: Run) -> None:
    """One line a run; the last look of a series is shown by the name of the series."""
    assert "no kept runs" in run_kept("evaluation", "list").stdout
    first = json.loads(run_kept(*ARGUMENTS, "--json").stdout)
    name = first["run"]
    listed = json.loads(run_kept("evaluation", "list", "--json").stdout)["runs"]
    assert [(each["run"], each["decision"], each["complete"]) for each in listed] == [
        (name, "block", True)
    ]
    assert f"{name}  block" in " ".join(run_kept("evaluation", "list", "g").stdout.split(" "))
    assert "no kept runs" in run_kept("evaluation", "list", "other").stdout
    shown = json.loads(run_kept("evaluation", "show", name.rpartition("/")[0], "--json").stdout)
    assert {key: shown[key] for key in first} == first
    text = run_kept("evaluation", "show", name).stdout
    assert text.startswith("block: gate g, support@1.0.0\n")
    assert f"answers: {ROWS} of the baseline, {ROWS} of the candidate" in text
    assert run_kept("evaluation", "show", "g/000000000000/1").returncode == 2


def test_a_kept_run_as_the_baseline_brings_its_answers(run_kept: Run) -> None:
    """They are sealed again, for the new run, as long as the release has their rows."""
    name = kept_run(run_kept)
    Path("two.yaml").write_text(GATE.replace("gate: g\n", "gate: two\n"), encoding="utf-8")
    write_lines(Path("v.jsonl"), verdicts("faithfulness", every=50, rows=ROWS))
    sides = ("--candidate", "old.jsonl", "--baseline", name, "--verdicts", "v.jsonl")
    ran = run_kept("gate", "two.yaml", *sides, "--json", "--changed", "c.jsonl")
    assert json.loads(ran.stdout)["answers"] == {"candidate": ROWS, "baseline": ROWS}
    lines = [json.loads(line) for line in Path("c.jsonl").read_text().splitlines()]
    assert len(lines) == ROWS // 2 - 1
    responses = {(each["baseline_response"], each["candidate_response"]) for each in lines}
    assert ("At ten on day 12.", "At nine, as ever.") in responses
    shown = run_kept("evaluation", "show", json.loads(ran.stdout)["run"], "--json")
    assert json.loads(shown.stdout)["readable_answers"] == {"candidate": ROWS, "baseline": ROWS}


class _Tags(HTMLParser):
    """Collects the tags of a page, and the names of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag} | {f"@{name}" for name, _ in attrs}


HOSTILE = (
    "</div></figure><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "`</code><svg onload=alert(1)>` & <b>bold</b>",
    "a\u202eb\x00c\x1b[31m",
)


def test_answers_are_never_markup(run_kept: Run) -> None:
    """Whatever an answer or a call holds, the page has the tags of goldpan's own pages."""
    kept_run(run_kept, "--report", "plain.html")
    lines = answers(lambda number: HOSTILE[number % len(HOSTILE)])
    for line in lines:
        call = {"id": "c", "name": "<u>", "arguments": HOSTILE[1]}
        line["tool_calls"] = [call]
    write_lines(Path("new.jsonl"), lines)
    kept_run(run_kept, "--report", "hostile.html")
    tags = []
    for name in ("plain.html", "hostile.html"):
        page, parser = Path(name).read_text(encoding="utf-8"), _Tags()
        parser.feed(page)
        tags.append(parser.found)
        assert marks_in(page, ["\u202e", "\x00", "\x1b"]) == []
    assert tags[0] == tags[1]
    assert "&lt;script&gt;alert(1)" in page


def test_no_canary_is_in_runs_and_reports(run_kept: Run) -> None:
    """Answers, arguments and errors of both sides are redacted before they are kept or shown."""
    said = " and ".join(CANARIES)
    lines = answers(f"Ask {said}.")
    for line in lines:
        line["tool_calls"] = [
            {"id": "c", "name": "send", "arguments": json.dumps({"to": CANARIES[0]}),
             "result": said}
        ]  # fmt: skip
    lines[7] = {"row": trace_id(7), "error": f"no {said}", "latency_ms": 800}
    for name in ("new.jsonl", "old.jsonl"):
        write_lines(Path(name), lines)
    name = kept_run(run_kept, "--report", "r.html", "--changed", "c.jsonl")
    data, salts = (folder_of(name) / ANSWERS).read_bytes(), salt_texts(Path("lake/releases"))
    files = [Path(each).read_text(encoding="utf-8") for each in ("r.html", "c.jsonl")]
    opened = opened_with(name, data, salts)
    assert "<EMAIL_ADDRESS:" in opened
    for text in (*files, opened):
        assert marks_in(text, CANARIES) == []
    assert marks_in_folder(Path("lake/evaluations"), CANARIES) == []


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "another file": lambda _: b"not Parquet",
    "a bit of an answer": lambda data: data[:600] + bytes([data[600] ^ 1]) + data[601:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_answers_are_told_and_the_run_stands(
    run_kept: Run, damage: Callable[[bytes], bytes]
) -> None:
    """No text of an answer is guessed; without the file the run is shown without answers."""
    name = kept_run(run_kept)
    path = folder_of(name) / ANSWERS
    path.write_bytes(damage(path.read_bytes()))
    for command in (("evaluation", "show", name), ("erase", "--subject", PERSON)):
        ran = run_kept(*command)
        assert (ran.returncode, ran.stdout) == (3, "")
        assert f"evaluations/{name}/{ANSWERS} is damaged" in ran.stderr.replace("\n", " ")
    path.unlink()
    ran = run_kept("evaluation", "show", name)
    assert (ran.returncode, "answers: none are kept" in ran.stdout) == (0, True)


@pytest.mark.parametrize("file", [RUN, "report.html"])
def test_a_changed_file_of_a_run_is_told(run_kept: Run, file: str) -> None:
    """Each file is compared with its checksum before anything is shown."""
    name = kept_run(run_kept)
    path = folder_of(name) / file
    path.write_bytes(path.read_bytes() + b" ")
    ran = run_kept("evaluation", "show", name)
    assert (ran.returncode, f"{file} is not the file that was written" in ran.stderr) == (3, True)


def test_runs_of_earlier_versions_are_read(run_kept: Run) -> None:
    """They have no answers, no cards and no failure modes."""
    name = kept_run(run_kept)
    folder = folder_of(name)
    document = json.loads((folder / RUN).read_text())
    old = {
        key: value
        for key, value in document.items()
        if key not in ("answers", "judge_cards", "failure_modes")
    }
    data = json.dumps(old).encode()
    (folder / RUN).write_bytes(data)
    (folder / ANSWERS).unlink()
    sums = folder / CHECKSUMS
    known = sha256(json.dumps(document, indent=1, sort_keys=True).encode() + b"\n").hexdigest()
    sums.write_text(sums.read_text().replace(known, sha256(data).hexdigest()))
    ran = run_kept("evaluation", "show", name, "--report", "r.html")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "no answer is kept" in Path("r.html").read_text()
    assert f"the same as the kept run {name}" in run_kept(*ARGUMENTS).stdout


def test_without_a_key_no_answer_is_kept(run_kept: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be redacted is not kept; the decision needs no key."""
    monkeypatch.delenv("GOLDPAN_REDACT__KEY")
    name = kept_run(run_kept, "--report", "r.html")
    assert not (folder_of(name) / ANSWERS).exists()
    assert marks_in(Path("r.html").read_text(), [SECRET]) == []


def test_sealed_answers_fit_one_row_of_one_run_only(run_kept: Run) -> None:
    """An answer that was moved to another row, side or run is damage."""
    name = kept_run(run_kept)
    data, salts = (folder_of(name) / ANSWERS).read_bytes(), salt_texts(Path("lake/releases"))
    digest = json.loads((folder_of(name) / RUN).read_text())["digest"]
    held = list(decode_answers(data, digest, ANSWERS).held)
    moved = decode_answers(data, digest, ANSWERS)
    swapped = [held[0]._replace(sealed=held[1].sealed), *held[1:]]
    other_side = [held[0]._replace(side="candidate"), *held[1:]]
    for each in (swapped, other_side):
        with pytest.raises(FatalError, match="damaged"):
            type(moved)(digest, ANSWERS, each).open(salts)
    with pytest.raises(FatalError, match="damaged"):
        decode_answers(data, "0" * 64, ANSWERS).open(salts)
