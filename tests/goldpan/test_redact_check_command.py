"""``goldpan redact check``: a team's own labels in, what redaction is worth on them out."""

import io
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from goldpan.cli.main import run_command
from redact.pipeline.jsonl import LineRedactor
from redact.policies.data_types import DATA_TYPES
from redact.policies.policy import parse_policy
from redact.reports.labelled_lines import FOREIGN_TYPES, LabelledLineReader, NotLabelledError
from tests.redact.kit import KEYS

POLICY = "extends: strict\nname: plain\nnames: {model: none}\n"
MAIL = "ann.miller@example.com"


@lru_cache
def kept_redactor() -> LineRedactor:
    """Return a redactor of texts, built once: it takes a while."""
    return LineRedactor(parse_policy(POLICY, "plain"), KEYS)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy without the model: nothing here is about names."""
    module = "goldpan.cli.redact_check.LineRedactor"
    monkeypatch.setattr(module, lambda _policy, _keys: kept_redactor())
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    monkeypatch.setenv("GOLDPAN_REDACT__POLICY", str(policy))
    monkeypatch.setenv("COLUMNS", "80")


def lines(tmp_path: Path, *documents: Any) -> str:
    """Write documents as lines; return the file's path."""
    file = tmp_path / "labelled.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in documents), encoding="utf-8")
    return str(file)


def labelled(text: str, value: str, kind: str, key: str = "type") -> dict[str, Any]:
    """Return a line with one span."""
    start = text.index(value)
    return {"text": text, "spans": [{"start": start, "end": start + len(value), key: kind}]}


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command with --json; return its exit code and its answer."""
    capsys.readouterr()
    code = run_command(["redact", "check", "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def test_precision_and_recall_by_type(tmp_path: Path, capsys: Any) -> None:
    """What is found, what is missed, and what was taken for something that it is not."""
    file = lines(
        tmp_path,
        labelled(f"write to {MAIL}", MAIL, "EMAIL", "entity"),
        labelled("my friend Qwertz", "Qwertz", "NAME", "entity_type"),
        {"text": "call 212-555-0134 now", "values": [{"type": "ssn", "value": "212-555-0134"}]},
        {"text": "nothing", "spans": []},
    )
    code, found = checked(capsys, file)
    assert code == 0
    assert found["lines"] == 4
    by_type = found["types"]
    assert (by_type["EMAIL_ADDRESS"]["recall"], by_type["EMAIL_ADDRESS"]["precision"]) == (1, 1)
    assert (by_type["PERSON"]["recall"], by_type["PERSON"]["coverage"]) == (0, 0)
    assert (by_type["US_SSN"]["recall"], by_type["US_SSN"]["coverage"]) == (0, 1)
    assert (by_type["PHONE_NUMBER"]["labels"], by_type["PHONE_NUMBER"]["precision"]) == (0, 0)
    assert found["overall"]["recall"] == pytest.approx(1 / 3)
    assert found["overall"]["coverage"] == pytest.approx(2 / 3)


def test_goals_are_a_gate(tmp_path: Path, capsys: Any) -> None:
    """Exit code 1 where less was found than asked for, in all or of a type."""
    file = lines(
        tmp_path,
        labelled(f"write to {MAIL}", MAIL, "EMAIL"),
        labelled("my friend Qwertz", "Qwertz", "PERSON"),
    )
    assert checked(capsys, file, "--least-recall", "0.5")[0] == 0
    code, found = checked(capsys, file, "--least-recall", "0.6", "--least-coverage", "PERSON=0.1")
    assert code == 1
    assert len(found["missed"]) == 2
    assert checked(capsys, file, "--least-recall", "EMAIL_ADDRESS=1")[0] == 0
    assert checked(capsys, file, "--least-recall", "IBAN_CODE=0.1")[0] == 1
    for wrong in ("2", "PERSON", "NOBODY=0.5"):
        assert run_command(["redact", "check", file, "--least-recall", wrong]) == 2


def test_unknown_types_are_told_and_can_be_mapped(tmp_path: Path, capsys: Any) -> None:
    """A name that nobody knows is counted under its name; ``--type`` says what it is."""
    file = lines(tmp_path, labelled(f"write to {MAIL}", MAIL, "E_POST"))
    code, found = checked(capsys, file)
    assert (code, found["unknown_types"]) == (0, {"E_POST": 1})
    code, found = checked(capsys, file, "--type", "e-post=EMAIL_ADDRESS")
    assert found["types"]["EMAIL_ADDRESS"]["recall"] == 1
    assert run_command(["redact", "check", file, "--type", "e-post=MAIL"]) == 2


def test_bad_lines_are_named_without_their_content(tmp_path: Path, capsys: Any) -> None:
    """The others are counted; the exit code says that some could not be read."""
    good = labelled(f"write to {MAIL}", MAIL, "EMAIL")
    outside = {"text": MAIL, "spans": [{"start": 3, "end": 99, "type": "EMAIL"}]}
    elsewhere = {"text": "x", "values": [{"value": MAIL, "type": "EMAIL"}]}
    file = lines(tmp_path, good, {"text": MAIL}, [MAIL], outside, elsewhere)
    code, found = checked(capsys, file)
    assert code == 1
    assert (found["lines"], [one["line"] for one in found["problems"]]) == (1, [2, 3, 4, 5])
    assert "ann" not in json.dumps(found)


def test_a_person_reads_a_table_of_80_columns(tmp_path: Path, capsys: Any) -> None:
    """Types that the policy keeps are marked, and are no part of the whole."""
    file = lines(
        tmp_path,
        labelled(f"write to {MAIL}", MAIL, "EMAIL"),
        labelled("see https://example.com/a", "https://example.com/a", "URL"),
    )
    assert run_command(["redact", "check", file]) == 0
    told = capsys.readouterr().out
    assert "URL (kept)" in told
    assert max(map(len, told.splitlines())) <= 80
    (overall,) = (line for line in told.splitlines() if "overall" in line)
    assert overall.split()[1] == "1"


def test_nothing_to_check_is_wrong_use(tmp_path: Path) -> None:
    """An empty file proves nothing, so it does not pass."""
    assert run_command(["redact", "check", lines(tmp_path)]) == 2


def test_redact_alone_still_means_to_redact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Any
) -> None:
    """Files, options, or nothing but standard input: as before there was a second command."""
    file = tmp_path / "texts.jsonl"
    file.write_text(json.dumps({"id": 1, "text": f"write to {MAIL}"}) + "\n")
    monkeypatch.setenv("GOLDPAN_REDACT__POLICY", "off")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", "")
    for arguments in (["--schema", "text", str(file)], ["run", str(file), "--schema", "text"]):
        assert run_command(["redact", *arguments]) == 2  # no key: it was the command that redacts
    assert b"GOLDPAN_REDACT__KEY" in capfdbinary.readouterr().err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert run_command(["redact"]) == 2
    assert b"GOLDPAN_REDACT__KEY" in capfdbinary.readouterr().err


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"1", b'{"text": 1}', b"\xff", b'{"text": "\\ud83d"}', b"[" * 100_000]
)
def test_anything_else_is_no_labelled_line(line: bytes) -> None:
    """The reader raises its own error, whatever stands in a line."""
    with pytest.raises(NotLabelledError):
        LabelledLineReader({}).read(line)


def test_other_tools_spans_are_read() -> None:
    """Places as triples too, and a byte order mark before the first line."""
    line = b'\xef\xbb\xbf{"text": "Ann here", "label": [[0, 3, "PER"]]}'
    (found,) = LabelledLineReader({}).read(line).labels
    assert (found.type, found.start, found.end) == ("PERSON", 0, 3)


def test_foreign_names_lead_to_types_there_are() -> None:
    """No name is mapped to a type that is unknown, or is the name of a type itself."""
    assert set(FOREIGN_TYPES.values()) <= set(DATA_TYPES)
    assert not set(FOREIGN_TYPES) & set(DATA_TYPES)
