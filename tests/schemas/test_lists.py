"""A list of ids is one id a line; what another tool made of it is refused, with its line."""

from pathlib import Path

import pytest

from batch.release.sampling.spec import load_spec, parse_spec
from schemas.errors import UsageError
from schemas.id_lists import parse_id_list
from schemas.times import shift_day
from tests.schemas.test_documents import SPEC


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("\ufefft1\nt2\n", ["t1", "t2"]),
        ("t1\r\nt2\r\n", ["t1", "t2"]),
        ("t1\rt2", ["t1", "t2"]),
        ("  t1 \n\n\t\n", ["t1"]),
        ("auth0|7\na b\nx@example.org\n", ["auth0|7", "a b", "x@example.org"]),
        ("", []),
    ],
)
def test_ids_are_read(text: str, ids: list[str]) -> None:
    """A mark in front, ends of lines of any system, blanks around and empty lines are no ids."""
    assert parse_id_list(text) == ids


@pytest.mark.parametrize(
    "line",
    ['"t1"', "'t1'", "t1,t2", "t1\tt2", "t1;x", '{"id": "t1"}', "[t1]", "t1\u200b", "\x00t1"],
)
def test_rows_of_tables_are_no_ids(line: str) -> None:
    """Quotes, separators, JSON and what cannot be seen are refused by their line."""
    with pytest.raises(ValueError, match=r"^line 2 "):
        parse_id_list(f"good\n{line}\n")


def test_a_list_of_a_spec_is_read_so(tmp_path: Path) -> None:
    """The traces that a release must have come from such a file; UTF-16 is named."""
    spec, ids = tmp_path / "s.yaml", tmp_path / "ids"
    spec.write_text(SPEC + "must_include: {file: ids}\n")
    ids.write_bytes(b"\xef\xbb\xbft1\r\nt2\r\n")
    assert load_spec(spec).must_include == ["t1", "t2"]
    ids.write_bytes(b't0\n"t1"\n')
    with pytest.raises(UsageError, match=r"must_include\.file: the file ids .*: line 2 looks like"):
        load_spec(spec)
    ids.write_bytes("t1\n".encode("utf-16"))
    with pytest.raises(UsageError, match="it is UTF-16"):
        load_spec(spec)


def test_days_end_at_the_ends_of_the_calendar() -> None:
    """From the beginning, less two days, is the beginning."""
    spec = SPEC.replace("2026-11-01", "0001-01-01")
    first, _ = parse_spec(spec, "s.yaml").window.days
    assert shift_day(first, -2) == first
