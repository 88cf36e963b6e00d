"""``goldpan erase`` as people use it: what it prints, refuses, and ends with."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from goldpan.cli.context import CliContext
from goldpan.subject_ids import check_reference, read_subject_ids
from lake import tombstones
from lake.tombstones import Tombstone
from redact.crypto.pseudonyms import Pseudonyms
from schemas.errors import UsageError
from schemas.record_batches import RawRecord, RejectedRecord
from tests.architecture.source import ROOT
from tests.batch.erase.world import (
    OTHER_KEYS,
    OWN,
    PERSON,
    USER,
    WORDS,
    flush,
    new_world,
    rows_of,
    say,
    set_aside,
    stored_span,
)
from tests.batch.kit import open_lake, put_spans
from tests.edges.search import marks_in, marks_in_folder
from tests.labels.kit import trace
from tests.servers.in_process import Run, runner, work_in


@pytest.fixture
def run_erase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run goldpan on the lake of the person, in this process."""
    new_world(tmp_path / "lake")
    work_in(tmp_path, monkeypatch)

    return runner(capsys)


def test_first_dry_then_for_good_then_the_receipt(run_erase: Run, tmp_path: Path) -> None:
    """The dry run counts what the receipt says went; neither prints a word of the person."""
    put_spans(open_lake(tmp_path / "lake"), [stored_span(OWN[0], "root", user_id=USER)])
    would = run_erase("erase", "--subject", PERSON, "--dry-run", "--json")
    assert (would.returncode, would.stderr) == (0, "")
    assert marks_in_folder(tmp_path / "lake", WORDS)
    done = run_erase("erase", "--subject", PERSON, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    counts = [
        {name: (one["own"], one["mentions"]) for name, one in tables.items()}
        for tables in (
            json.loads(would.stdout)["tables"],
            json.loads(done.stdout)["receipt"]["tables"],
        )
    ]
    assert counts[0] == counts[1]
    assert marks_in_folder(tmp_path / "lake", WORDS) == []
    assert marks_in(would.stdout + done.stdout, WORDS) == []
    shown = run_erase("erase", "--subject", PERSON)
    assert "already erased" in shown.stdout
    assert "Kafka" in shown.stdout
    path = f"lake/erasures/{json.loads(done.stdout)['erasure']}.receipt.json"
    assert path in shown.stdout
    assert run_erase("erase", "verify", path).returncode == 0


def test_a_receipt_that_was_changed_or_is_anothers(
    run_erase: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, and which of the two it is."""
    assert run_erase("erase", "--subject", PERSON).returncode == 0
    receipt = tmp_path / "lake" / "erasures" / "3.receipt.json"
    changed = tmp_path / "changed.json"
    changed.write_text(receipt.read_text().replace('"mentions": 2', '"mentions": 1'))
    told = run_erase("erase", "verify", str(changed))
    assert (told.returncode, "changed after it was signed" in told.stdout) == (1, True)
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", base64.b64encode(bytes(32)).decode())
    told = run_erase("erase", "verify", str(receipt), "--json")
    assert told.returncode == 1
    assert not json.loads(told.stdout)["ours"]
    assert run_erase("erase", "verify", "policy.yaml").returncode == 2


def test_the_list_tells_what_is_not_finished(run_erase: Run, tmp_path: Path) -> None:
    """A tombstone without a receipt is an erasure to go on with."""
    assert run_erase("erase", "--subject", PERSON).returncode == 0
    store = tombstones.open_tombstones(open_lake(tmp_path / "lake").location)
    tombstones.put_tombstone(store, lambda number: Tombstone(number, 1, {"k1.x": ["0"]}))
    listed = json.loads(run_erase("erase", "list", "--json").stdout)
    assert [one["number"] for one in listed["erasures"]] == [3]
    assert listed["unfinished"] == [4]
    assert "4: not finished" in run_erase("erase", "list").stdout


@pytest.mark.chaos
def test_ids_of_a_file_are_erased_together(run_erase: Run, tmp_path: Path) -> None:
    """One line an id; blank lines are nobody."""
    (tmp_path / "ids.txt").write_text(f"{PERSON}\n\nother-1\n")
    done = json.loads(run_erase("erase", "--subjects", "ids.txt", "--json").stdout)
    assert done["persons"] == 2
    assert json.loads(run_erase("erase", "--subject", "other-1", "--json").stdout)["again"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name the persons to erase"),
        (("--subject", " "), "--subject is empty"),
        (("--subject", "a", "--subjects", "empty"), "name the persons to erase"),
        (("--subjects", "empty"), "contains no id"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(
    run_erase: Run, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    """And nothing is begun."""
    (tmp_path / "empty").write_text("\n")
    told = run_erase("erase", "run", *arguments)
    assert told.returncode == 2
    assert says in told.stderr
    assert not (tmp_path / "lake" / "erasures").exists()


def test_a_seal_key_that_is_missing_is_asked_for(
    run_erase: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Unless it is said what to do with payloads that nobody can open."""
    monkeypatch.delenv("GOLDPAN_REDACT__SEAL_KEY")
    told = run_erase("erase", "--subject", PERSON)
    assert told.returncode == 2
    assert "--unopened" in told.stderr
    assert not (tmp_path / "lake" / "erasures").exists()
    told = run_erase("erase", "--subject", PERSON, "--unopened", "keep")
    assert told.returncode == 0
    assert "3 sealed payloads in quarantine could not be searched" in told.stdout


class Terminal(io.StringIO):
    """Standard input of somebody who types."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@pytest.mark.chaos
def test_who_watches_is_asked_first(
    run_erase: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would go is shown; `no` changes nothing (1), `yes` erases; --yes asks nobody."""
    monkeypatch.setattr(CliContext, "watched", True)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    told = run_erase("erase", "--subject", PERSON)
    assert (told.returncode, "own rows" in told.stdout) == (1, True)
    assert "nothing was changed" in told.stdout
    assert not (tmp_path / "lake" / "erasures").exists()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PERSON}\n"))
    told = run_erase("erase", "--subject", PERSON)
    assert (told.returncode, "--yes" in told.stderr) == (2, True)
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert run_erase("erase", "--subject", PERSON).returncode == 0
    assert marks_in_folder(tmp_path / "lake", WORDS) == []
    monkeypatch.setattr("sys.stdin", Terminal(""))
    assert "already erased" in run_erase("erase", "--subject", PERSON).stdout
    assert run_erase("erase", "--subject", "other-1", "--yes").returncode == 0


def test_all_ids_of_one_request_are_one_erasure(run_erase: Run, tmp_path: Path) -> None:
    """`--subject` twice erases both; one receipt, with the number of the request, and a date."""
    done = run_erase(
        "erase", "--subject", PERSON, "--subject", "other-1", "--reference", "T-77", "--json"
    )
    said = json.loads(done.stdout)
    assert (said["persons"], said["found"], said["found_nothing_of"]) == (2, True, [])
    assert said["receipt"]["reference"] == "T-77"
    for one in (PERSON, "other-1"):
        assert json.loads(run_erase("erase", "--subject", one, "--json").stdout)["again"]
    (listed,) = json.loads(run_erase("erase", "list", "--json").stdout)["erasures"]
    assert listed["reference"] == "T-77"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:]{8}Z", listed["made_at"])
    assert re.search(r"20\d\d-.* rows, T-77", run_erase("erase", "list").stdout)
    told = run_erase("erase", "--subject", PERSON, "--reference", f"of {PERSON}")
    assert (told.returncode, "--reference" in told.stderr) == (2, True)


def test_where_nobody_is_found_nobody_is_said_to_be_erased(run_erase: Run) -> None:
    """Exit code 0, as for any erasure that came to its end: they are kept out from now on."""
    would = run_erase("erase", "--subject", "nobody-99", "--dry-run")
    assert (would.returncode, "found nothing" in would.stdout) == (0, True)
    told = run_erase("erase", "--subject", "nobody-99")
    assert (told.returncode, "found nothing" in told.stdout) == (0, True)
    assert "erased: receipt" not in told.stdout
    said = json.loads(run_erase("erase", "--subject", "nobody-98", "--json").stdout)
    assert (said["found"], said["found_nothing_of"]) == (False, ["--subject, number 1"])


def test_of_a_list_is_said_of_which_lines_nothing_was_found(run_erase: Run, tmp_path: Path) -> None:
    """Not the ids themselves."""
    (tmp_path / "ids").write_text(f"nobody-96\n{PERSON}\nnobody-97\n", encoding="utf-8-sig")
    told = run_erase("erase", "--subjects", "ids")
    assert "2 of 3 ids not found in any table: line 1 of ids, line 3 of ids" in told.stdout
    assert marks_in(told.stdout, [*WORDS, "nobody-97"]) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_of_any_encoding_names_the_same_persons(encoding: str) -> None:
    """The mark of its byte order is no part of the first id."""
    data = "u1@example.org\r\n\r\n u-2\u00e9 \n".encode(encoding)
    assert list(read_subject_ids((), "ids", data)) == ["u1@example.org", "u-2\u00e9"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'"u1@example.org"', "line 1 of ids has quotes"),
        (b"u-1\nu-2,u-3\n", "line 2 of ids has a comma"),
        (b"u-1\tAnn", "a tab"),
        (b"u-1;u-2", "a semicolon"),
        ("\u201eu-1\u201c".encode(), "quotes"),
        (b"User_ID\nu-1", "line 1 of ids is a column name"),
        (b"u-1\0", "invisible"),
        ("u-1\u200b".encode(), "invisible"),
        ("\u00fc-1".encode("latin-1"), "not UTF-8 text"),
        ("u-1".encode("utf-16-le"), "invisible"),
    ],
)
def test_a_list_of_another_kind_is_refused(data: bytes, says: str) -> None:
    """With the line, but not its content: nobody would be found by it."""
    with pytest.raises(UsageError, match=says) as told:
        read_subject_ids((), "ids", data)
    assert "u-1" not in str(told.value)


def test_an_id_by_itself_may_hold_what_a_list_may_not() -> None:
    """Commas and quotes are letters of ids like others; an empty one is none."""
    assert list(read_subject_ids(('o"neil, x', " u-1 "), None, None)) == ['o"neil, x', "u-1"]
    with pytest.raises(UsageError, match="--subject is empty"):
        read_subject_ids(("u-1", ""), None, None)
    with pytest.raises(UsageError, match="1 to 200 printable"):
        check_reference("a\nb", ())


def test_what_differs_by_case_only_stays_and_is_listed(run_erase: Run, tmp_path: Path) -> None:
    """In the dry run, so that somebody can look whether it is the same person."""
    lake = open_lake(tmp_path / "lake")
    flush(lake, [trace("shouted", messages=say(f"I am {PERSON.upper()}, you know {PERSON}2."))])
    raw = RawRecord(partition=0, offset=29, timestamp_ms=1, key=None, value=PERSON.title().encode())
    about: dict[str, Any] = {"reason": "not_json", "field": None, "detail": "d", "schema_id": None}
    set_aside(lake, [RejectedRecord(topic="llm.traces", raw=raw, **about)])
    would = json.loads(run_erase("erase", "--subject", PERSON, "--dry-run", "--json").stdout)
    assert would["by_case_only"] == {PERSON.upper(): 1, PERSON.title(): 1}
    assert PERSON.upper() in run_erase("erase", "--subject", PERSON, "--dry-run").stdout
    assert run_erase("erase", "--subject", PERSON).returncode == 0
    assert "shouted" in {row["trace_id"] for row in rows_of(lake, "traces")}


def test_rows_under_a_key_that_is_missing_are_not_said_to_be_gone(
    run_erase: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is asked for by name; with it the rows go; one that is lost is in the receipt."""
    lake = open_lake(tmp_path / "lake")
    former = Pseudonyms(OTHER_KEYS).identifier("USER_ID", PERSON)
    flush(lake, [trace("by-former-key", user_id=former)])
    for more in ((), ("--dry-run",)):
        told = run_erase("erase", "--subject", PERSON, *more)
        assert told.returncode == 2
        assert "(k0; rows: 1)" in told.stderr
        assert "GOLDPAN_REDACT__FORMER_KEYS" in told.stderr
    assert not (tmp_path / "lake" / "erasures").exists()
    done = json.loads(
        run_erase("erase", "--subject", "other-4", "--without-key", "k0", "--json").stdout
    )
    assert done["receipt"]["not_looked_into"]["redaction_keys"] == ["k0"]
    secret = base64.b64encode(bytes(range(1, 33))).decode()
    monkeypatch.setenv("GOLDPAN_REDACT__FORMER_KEYS", json.dumps({"k0": secret}))
    assert run_erase("erase", "--subject", PERSON).returncode == 0
    assert marks_in_folder(tmp_path / "lake", [*WORDS, former, "by-former-key"]) == []


def test_others_can_verify_a_receipt(
    run_erase: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the public key alone, by the command or by the five lines of the page."""
    key = json.loads(run_erase("erase", "--subject", PERSON, "--json").stdout)["receipt"][
        "signed_by"
    ]
    receipt = tmp_path / "lake" / "erasures" / "3.receipt.json"
    for name in ("KEY", "SEAL_KEY"):
        monkeypatch.delenv(f"GOLDPAN_REDACT__{name}")
    verify = ("erase", "verify", str(receipt))
    told = run_erase(*verify, "--signed-by", key)
    assert (told.returncode, ", the expected key" in told.stdout) == (0, True)
    told = run_erase(*verify)
    assert (told.returncode, "not a key of this lake" in told.stdout) == (0, False)
    told = run_erase(*verify, "--signed-by", "0" * 64)
    assert (told.returncode, "not the expected key" in told.stdout) == (1, True)
    assert run_erase(*verify, "--signed-by", "1f0c").returncode == 2
    changed = tmp_path / "changed.json"
    changed.write_text(receipt.read_text().replace('"own": 4', '"own": 3'))
    assert run_erase("erase", "verify", str(changed), "--signed-by", key).returncode == 1

    page = (ROOT / "docs" / "erasure.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    code = compile(lines, "docs/erasure.md", "exec")
    monkeypatch.setattr("sys.argv", ["-", str(receipt), key])
    exec(code, {})  # noqa: S102 - the page's own lines
    monkeypatch.setattr("sys.argv", ["-", str(changed), key])
    with pytest.raises(InvalidSignature):
        exec(code, {})  # noqa: S102
