"""Keys and values are read out of any structured text: each form, written from random records."""

import csv
import io
import json
import random
import urllib.parse
from collections.abc import Callable
from html import escape
from typing import Any, Literal, NamedTuple

import pytest

from redact.pairs import MAX_PAIRS, KeyValuePair, read_pairs

Record = dict[str, str]

KEYS = (
    *("first_name", "lastName", "email", "ssn", "billing_phone", "order_id", "status", "city"),
    *("geburtsdatum", "pr\u00e9nom", "correo", "\u0438\u043c\u044f", "account_number", "mrn"),
)
TITLES = (
    *("First name", "Last name", "E-mail", "SSN", "Phone number", "Date of birth", "Order"),
    *(
        "Stra\u00dfe",
        "Nom de famille",
        "Tel\u00e9fono",
        "\u0418\u043c\u044f",
        "Status",
        "\u59d3\u540d",
    ),
)
WORDS = (
    *("ana", "Ruiz", "O'Neil", "Jean-Luc", "Mu\u00f1oz", "ana.ruiz@example.com", "743-28-6015"),
    *("+1 415 555 0132", "A0093817", "1979-08-30", "12 Main Street", "shipped", "\u5c71\u7530"),
    *("48213375", "K\u00f6ln", "basic", "\u0418\u0432\u0430\u043d", "x7@example.org", "de la Cruz"),
)
AWKWARD = ('a "b" c', "back\\slash", "comma, semi; pipe", "caf\u00e9 & co", "tab\there", "100% + 1")
BEFORE = ("", "The lookup gave:\n\n", "Sure, here it is.\n\n", "2 hits (0.3 s)\n\n")
AFTER = ("", "\n\nAnything else?", "\n\n(1 row, done)\n")


class Written(NamedTuple):
    """A text, and each value in it, record by record: ``(key, raw, value)``."""

    text: str
    fields: list[list[tuple[str, str, str]]]


def of(records: list[Record], raw: Callable[[str], str]) -> list[list[tuple[str, str, str]]]:
    """Return the fields of records, each value written by ``raw``."""
    return [[(k, raw(v), v) for k, v in record.items()] for record in records]


def json_raw(value: str) -> str:
    """Return a value as written in a JSON string."""
    return json.dumps(value)[1:-1]


def json_prose(records: list[Record]) -> Written:
    """Write objects of JSON into a sentence."""
    objects = " and ".join(json.dumps(record) for record in records)
    return Written(f"I found {objects} in the file.", of(records, json_raw))


def json_lines(records: list[Record]) -> Written:
    """Write a line of JSON each, the last one cut off."""
    return Written("\n".join(map(json.dumps, records)) + "\n{", of(records, json_raw))


def json_fence(records: list[Record]) -> Written:
    """Write JSON over several lines into a fence."""
    text = f"```json\n{json.dumps(records, indent=2, ensure_ascii=False)}\n```"
    return Written(text, of(records, lambda v: json.dumps(v, ensure_ascii=False)[1:-1]))


def json_comma(records: list[Record]) -> Written:
    """Write JSON with trailing commas and comments."""
    text = ",\n".join(json.dumps(record)[:-1] + ", // last\n}" for record in records)
    return Written(f"[{text}]", of(records, json_raw))


def json_cut(records: list[Record]) -> Written:
    """Write JSON whose end is missing."""
    return Written(json.dumps({"hits": records})[:-4], of(records, json_raw))


def json_in_log(records: list[Record]) -> Written:
    """Write JSON as a string in lines of a log."""
    text = "\n".join(f"INFO payload={json.dumps(json.dumps(record))} ok" for record in records)
    return Written(text, of(records, lambda v: json_raw(json_raw(v))))


def json_deep(records: list[Record]) -> Written:
    """Write JSON in a string of JSON in a string of JSON, in a sentence."""
    inner = json.dumps({"arguments": json.dumps(records)})
    text = f"call {json.dumps({'content': inner})} done"
    return Written(text, of(records, lambda v: json_raw(json_raw(json_raw(v)))))


def python_repr(records: list[Record]) -> Written:
    """Write the repr of a list of dictionaries."""
    return Written(f"result: {records!r}.", of(records, lambda v: repr(v)[1:-1]))


def python_call(records: list[Record]) -> Written:
    """Write the repr of objects within an object."""
    rows = (", ".join(f"{k}={v!r}" for k, v in record.items()) for record in records)
    text = ", ".join(f"Guest({row}, seat=None)" for row in rows)
    return Written(f"Booking(id=1, guests=[{text}])", of(records, lambda v: repr(v)[1:-1]))


def logfmt(records: list[Record]) -> Written:
    """Write lines of a log with quoted values."""
    rows = (" ".join(f"{k}={json.dumps(v)}" for k, v in record.items()) for record in records)
    return Written("\n".join(f"level=info {row} took=12ms" for row in rows), of(records, json_raw))


def form(records: list[Record]) -> Written:
    """Write requests with a query."""
    text = "\n".join(f"POST /u?{urllib.parse.urlencode(r)}&n=4 HTTP/1.1" for r in records)
    return Written(text, of(records, urllib.parse.quote_plus))


def xml(records: list[Record]) -> Written:
    """Write an element each with elements in it."""
    rows = ("".join(f"<{k}>{escape(v)}</{k}>" for k, v in r.items()) for r in records)
    text = "<list>" + "\n".join(f'<guest n="4">{row}</guest>' for row in rows) + "</list>"
    return Written(text, of(records, escape))


def attributes(records: list[Record]) -> Written:
    """Write an element each with attributes."""
    rows = (" ".join(f'{k}="{escape(v)}"' for k, v in r.items()) for r in records)
    return Written("\n".join(f"<guest {row}/>" for row in rows), of(records, escape))


def html_table(records: list[Record]) -> Written:
    """Write a table with a row of headings."""
    keys = records[0]
    records = [{key: record[key] for key in keys} for record in records]
    rows = ("".join(f"<td>{escape(v)}</td>" for v in r.values()) for r in records)
    head = "".join(f"<th>{k}</th>" for k in keys)
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return Written(f"<table><tr>{head}</tr>{body}</table>", of(records, escape))


def html_inputs(records: list[Record]) -> Written:
    """Write the fields of forms."""
    forms = (
        "".join(f'<input type="text" name="{k}" value="{escape(v)}">' for k, v in r.items())
        for r in records
    )
    return Written("".join(f"<form>{one}</form>" for one in forms), of(records, escape))


def html_terms(records: list[Record]) -> Written:
    """Write a list of terms each."""
    lists = ("".join(f"<dt>{k}</dt><dd>{escape(v)}</dd>" for k, v in r.items()) for r in records)
    return Written("".join(f"<dl>{one}</dl>" for one in lists), of(records, escape))


def separated(separator: str, *, always: bool) -> Callable[[list[Record]], Written]:
    """Return the writer of tables with a separator, each cell quoted or only where it must be."""

    def write(records: list[Record]) -> Written:
        keys = list(records[0])
        file = io.StringIO()
        quoting: Literal[0, 1] = csv.QUOTE_ALL if always else csv.QUOTE_MINIMAL
        writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator="\n")
        writer.writerow(keys)
        writer.writerows([record[key] for key in keys] for record in records)
        ordered = [{key: record[key] for key in keys} for record in records]
        return Written(file.getvalue(), of(ordered, lambda v: v.replace('"', '""')))

    return write


def yaml_list(records: list[Record]) -> Written:
    """Write a list of mappings with quoted values."""
    rows = ("\n    ".join(f"{k}: {json.dumps(v)}" for k, v in r.items()) for r in records)
    text = "guests:\n" + "\n".join(f"  - {row}" for row in rows)
    return Written(text, of(records, json_raw))


def sql(records: list[Record]) -> Written:
    """Write a statement that inserts rows."""
    keys = list(records[0])
    rows = (", ".join("'" + record[k].replace("'", "''") + "'" for k in keys) for record in records)
    values = ",\n".join(f"({row})" for row in rows)
    ordered = [{key: record[key] for key in keys} for record in records]
    text = f"INSERT INTO guests ({', '.join(keys)}) VALUES {values};"  # noqa: S608  # no database
    return Written(text, of(ordered, lambda v: v.replace("'", "''")))


def lines(records: list[Record]) -> Written:
    """Write blocks of lines."""
    text = "\n\n".join("\n".join(f"{k}: {v}" for k, v in r.items()) for r in records)
    return Written(text, of(records, str))


def bullets(records: list[Record]) -> Written:
    """Write lists with bold keys."""
    text = "\n\n".join("\n".join(f"- **{k}:** {v}" for k, v in r.items()) for r in records)
    return Written(text, of(records, str))


def bold(records: list[Record]) -> Written:
    """Write numbered lists with bold keys."""
    text = "\n\n".join(
        "\n".join(f"{n}. **{k}**: {v}" for n, (k, v) in enumerate(r.items(), 1)) for r in records
    )
    return Written(text, of(records, str))


def one_line(sign: str) -> Callable[[list[Record]], Written]:
    """Return the writer of records as lines of pairs with something between them."""

    def write(records: list[Record]) -> Written:
        text = "\n".join(sign.join(f"{k}: {v}" for k, v in r.items()) for r in records)
        return Written(text, of(records, str))

    return write


def dashes(records: list[Record]) -> Written:
    """Write lines with a dash between key and value."""
    text = "\n\n".join("\n".join(f"{k} - {v}" for k, v in r.items()) for r in records)
    return Written(text, of(records, str))


def yaml_plain(records: list[Record]) -> Written:
    """Write a list of mappings below other keys."""
    rows = ("\n    ".join(f"{k}: {v}" for k, v in r.items()) for r in records)
    text = "hotel:\n  open: yes\n  guests:\n" + "\n".join(f"  - {row}" for row in rows)
    return Written(text, of(records, str))


def flow(records: list[Record]) -> Written:
    """Write mappings in braces, without quotes."""
    rows = (", ".join(f"{k}: {v}" for k, v in r.items()) for r in records)
    return Written("\n".join(f"- {{{row}}}" for row in rows), of(records, str))


def ini(records: list[Record]) -> Written:
    """Write sections of a file of settings."""
    rows = ("\n".join(f"{k} = {v}" for k, v in r.items()) for r in records)
    return Written("\n\n".join(f"[guest]\n{row}" for row in rows), of(records, str))


def spaced(records: list[Record]) -> Written:
    """Write keys and values with spaces between them and within."""
    rows = (" ".join(f"{k}={v}" for k, v in r.items()) for r in records)
    return Written("\n".join(f"{row} end=1" for row in rows), of(records, str))


def listed(sign: str) -> Callable[[list[Record]], Written]:
    """Return the writer of ``key=value`` with something between the pairs."""

    def write(records: list[Record]) -> Written:
        rows = (sign.join(f"{k}={v}" for k, v in r.items()) for r in records)
        return Written("\n".join(f"[{row}{sign}n=4]" for row in rows), of(records, str))

    return write


def markdown(records: list[Record]) -> Written:
    """Write a table of Markdown."""
    keys = list(records[0])
    rows = ("| " + " | ".join(record[k] for k in keys) + " |" for record in records)
    text = f"| {' | '.join(keys)} |\n|{'---|' * len(keys)}\n" + "\n".join(rows)
    return Written(text, of([{key: record[key] for key in keys} for record in records], str))


def two_columns(records: list[Record]) -> Written:
    """Write a table with a row for each field."""
    records = records[:1]
    rows = "\n".join(f"| **{k}** | {v} |" for k, v in records[0].items())
    return Written(f"| Field | Value |\n|:--|--:|\n{rows}", of(records, str))


def drawn(records: list[Record]) -> Written:
    """Write a table with lines drawn around it."""
    keys = list(records[0])
    border = "+" + "--------+" * len(keys)
    rows = ("| " + " | ".join(record[k] for k in keys) + " |" for record in records)
    text = "\n".join((border, f"| {' | '.join(keys)} |", border, *rows, border))
    return Written(text, of([{key: record[key] for key in keys} for record in records], str))


def command(records: list[Record]) -> Written:
    """Write the options of commands."""
    rows = (" ".join(f"--{k} {v!r}" for k, v in r.items()) for r in records)
    return Written(
        "\n".join(f"tool add {row}" for row in rows), of(records, lambda v: repr(v)[1:-1])
    )


ANY_VALUE = (
    *(json_prose, json_lines, json_fence, json_comma, json_cut, json_in_log, json_deep),
    *(python_repr, python_call, logfmt, form, xml, attributes, html_table, html_inputs),
    *(html_terms, yaml_list, sql, separated(",", always=True), separated(";", always=False)),
    *(separated("\t", always=False), separated(",", always=False)),
)
PLAIN_KEY = (command, ini, spaced, listed("; "), listed(", "), listed(" | "), yaml_plain, flow)
PLAIN_TITLE = (
    *(lines, bullets, bold, one_line(", "), one_line("; "), one_line(" | "), dashes, markdown),
    *(two_columns, drawn),
)


def records(rng: random.Random, keys: tuple[str, ...], values: tuple[str, ...]) -> list[Record]:
    """Return one to three records with the same keys in random order."""
    some = rng.sample(keys, rng.randint(2, 6))
    return [{key: rng.choice(values) for key in some} for _ in range(rng.randint(1, 3))]


def check(written: Written, before: str, after: str) -> None:
    """Assert that each value is found under its key at its position, with its record's owner."""
    text = before + written.text + after
    found = read_pairs(text)
    place = len(before)
    owners: list[int] = []
    for record in written.fields:
        mine: set[int] = set()
        for key, raw, value in record:
            place, pair = next_pair(text, found, place, key, raw)
            assert pair.value == value
            mine.add(pair.owner)
        assert len(mine) == 1, (text, found)
        owners += mine
    assert len(set(owners)) == len(owners), (text, found)


def next_pair(
    text: str, found: list[KeyValuePair], place: int, key: str, raw: str
) -> tuple[int, KeyValuePair]:
    """Return the next pair of a key from a place on, which must be written as ``raw``."""
    for pair in found:
        if pair.start >= place and pair.key == key and text[pair.start : pair.end] == raw:
            return pair.end, pair
    message = f"{key} -> {raw} is not in {found} of {text!r}"
    raise AssertionError(message)


@pytest.mark.parametrize("write", ANY_VALUE, ids=lambda w: w.__qualname__)
def test_a_form_with_escapes_is_read_whatever_its_values(write: Any) -> None:
    """Every key and value of a record, at its position, raw and decoded, with one owner."""
    rng = random.Random(write.__qualname__)  # noqa: S311  # not for secrets
    for _ in range(40):
        given = records(rng, KEYS, WORDS + AWKWARD)
        check(write(given), rng.choice(BEFORE), rng.choice(AFTER) if write is not json_cut else "")


@pytest.mark.parametrize("write", PLAIN_KEY, ids=lambda w: w.__qualname__)
def test_a_form_of_programs_without_quotes_is_read(write: Any) -> None:
    """Values of words, numbers and addresses end where they end, not at a space or too late."""
    rng = random.Random(write.__qualname__)  # noqa: S311  # not for secrets
    for _ in range(40):
        check(write(records(rng, KEYS, WORDS)), rng.choice(BEFORE), rng.choice(AFTER))


@pytest.mark.parametrize("write", [*PLAIN_TITLE, *PLAIN_KEY[4:6]], ids=lambda w: w.__qualname__)
def test_a_form_that_people_read_is_read(write: Any) -> None:
    """Keys of several words in any script, in lists, tables and lines."""
    rng = random.Random(write.__qualname__)  # noqa: S311  # not for secrets
    keys = TITLES if write in PLAIN_TITLE else KEYS
    for _ in range(40):
        check(write(records(rng, keys, WORDS)), rng.choice(BEFORE), rng.choice(AFTER))


def test_a_stand_in_for_a_number_keeps_json_valid_at_any_depth() -> None:
    """The quotation marks around a string in place of a number are escaped correctly."""
    text = 'x {"a": {"ssn": 743286015, "b": [1, 2.5]}} y'
    deep = json.dumps({"c": json.dumps({"d": '{"ssn": 743286015}'})})
    for given, depth in ((text, 0), (f"log: {deep}", 2)):
        pair = next(pair for pair in read_pairs(given) if pair.key == "ssn")
        out = given[: pair.start] + f"{pair.quote}<X>{pair.quote}" + given[pair.end :]
        value: Any = json.loads(out[out.index("{") : out.rindex("}") + 1])
        if depth:
            value = json.loads(json.loads(value["c"])["d"])
        assert "<X>" in str(value)


HARMLESS = (
    "We meet at 10:30, or at 11:45:10 if it rains.",
    "See https://example.com/a/b and C:\\Temp\\x for std::vector and a::b.",
    "if a == b and c != d or e <= f: stop",
    "Well, hello there. I am here, and so are you!",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_clocks_addresses_paths_and_comparisons_are_no_pairs(text: str) -> None:
    """A colon or an equals sign alone makes no key."""
    assert [pair for pair in read_pairs(text) if pair.key not in "ef"] == []


ALPHABET = (
    *(":", "=", "{", "}", "[", "]", "(", ")", "<", ">", "|", '"', "'", "\\", ",", ";", "\t", "\n"),
    *(
        " ",
        "  ",
        "a",
        "b1",
        "Key",
        "\u00e9",
        "\u59d3",
        "1",
        "12.5",
        "&",
        "%20",
        "&amp;",
        "- ",
        "**",
    ),
    *("</a>", "<a>", "<td>", "</td>", "<tr>", "\\n", "\\u00e9", "\\ud83d", "=>", "---", "\ud800"),
    *("INSERT INTO t (a) VALUES ('", "date(", '"""', "<![CDATA[", "]]>", "a: |\n", "\r", "\x00"),
)


def test_any_text_is_read_without_an_error_and_pairs_nest() -> None:
    """Whatever the text: places lie in it, in order, and two pairs never overlap in part."""
    rng = random.Random(5)  # noqa: S311  # not for secrets
    for _ in range(3_000):
        text = "".join(rng.choices(ALPHABET, k=rng.randint(1, 60)))
        found = read_pairs(text)
        assert found == read_pairs(text)
        ends: list[int] = []
        last = (0, 0)
        for pair in found:
            assert pair.key
            assert 0 <= pair.start < pair.end <= len(text) or not pair.value
            assert (pair.start, -pair.end) >= last
            last = (pair.start, -pair.end)
            while ends and ends[-1] <= pair.start:
                ends.pop()
            assert not ends or pair.end <= ends[-1]
            ends.append(pair.end)


PIECES = ("a=b ", '{"a": "b"}\n', "a: b\n", "<a>b</a>", "a,b\n", "=", ':"', "|\n")


@pytest.mark.parametrize("piece", PIECES)
def test_a_long_text_gives_a_bounded_number_of_pairs(piece: str) -> None:
    """All of it is read, and what is over the bound is left out."""
    assert len(read_pairs(piece * (120_000 // len(piece)))) <= MAX_PAIRS
