"""Containers of a value: prose, and the formats of keys and values that programs write."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from random import Random
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

Pair: TypeAlias = tuple[str, Any]
"""A key in words and lower case, and its value."""


@dataclass(frozen=True)
class Container:
    """A structure. ``prose`` takes one text, ``pairs`` takes keys and values; ``json`` is JSON."""

    name: str
    prose: Callable[[str], str] | None = None
    pairs: Callable[[Sequence[Pair], Random], str] | None = None
    json: bool = False
    one_line: bool = False
    encoded: bool = False
    """Values are written in an encoding of the container's own, so no disguise goes on top."""


def snake(key: str) -> str:
    """Return a key such as first_name."""
    return key.replace(" ", "_").replace("'", "")


def camel(key: str) -> str:
    """Return a key such as firstName."""
    first, *more = key.replace("'", "").split()
    return first + "".join(word.title() for word in more)


def pascal(key: str) -> str:
    """Return a key such as FirstName."""
    return "".join(word.title() for word in key.replace("'", "").split())


def kebab(key: str) -> str:
    """Return a key such as first-name."""
    return key.replace(" ", "-").replace("'", "")


def upper(key: str) -> str:
    """Return a key such as FIRST_NAME."""
    return snake(key).upper()


def title(key: str) -> str:
    """Return a key such as First name."""
    return key[:1].upper() + key[1:]


def _named(pairs: Sequence[Pair], style: Callable[[str], str]) -> dict[str, Any]:
    return {style(key): value for key, value in pairs}


def _any_style(rng: Random) -> Callable[[str], str]:
    return rng.choice([snake, snake, camel, pascal, kebab, title, upper])


def _json(pairs: Sequence[Pair], rng: Random, **options: Any) -> str:
    return json.dumps(_named(pairs, _any_style(rng)), ensure_ascii=rng.random() < 0.3, **options)


def _json_nested(pairs: Sequence[Pair], rng: Random) -> str:
    inner = _named(pairs, _any_style(rng))
    return json.dumps({"count": 1, "data": {"items": [inner]}}, ensure_ascii=False)


def _json_twice(pairs: Sequence[Pair], rng: Random) -> str:
    return json.dumps({"step": 3, "output": _json(pairs, rng)}, ensure_ascii=rng.random() < 0.5)


def _json_thrice(pairs: Sequence[Pair], rng: Random) -> str:
    return json.dumps({"cell": _json_twice(pairs, rng)})


def _json_in_prose(pairs: Sequence[Pair], rng: Random) -> str:
    return f"The lookup returned {_json(pairs, rng)} after two tries."


def _json_in_fence(pairs: Sequence[Pair], rng: Random) -> str:
    return f"Here it is:\n```json\n{_json(pairs, rng, indent=2)}\n```\nAnything else?"


def _json_lines(pairs: Sequence[Pair], rng: Random) -> str:
    other = json.dumps({"status": "closed", "lines": 2})
    return f"{other}\n{_json(pairs, rng)}\n{other}"


def _json_cut_off(pairs: Sequence[Pair], rng: Random) -> str:
    whole = json.dumps(
        {"hits": [_named(pairs, snake), {"status": "open", "note": "cut here"}]}, ensure_ascii=False
    )
    return whole[: -rng.randrange(4, 14)]


def _json_pretty(pairs: Sequence[Pair], rng: Random) -> str:
    return _json(pairs, rng, indent=2)


def _json_compact(pairs: Sequence[Pair], rng: Random) -> str:
    return _json(pairs, rng, separators=(",", ":"))


def _python_dict(pairs: Sequence[Pair], rng: Random) -> str:
    return repr(_named(pairs, rng.choice([snake, camel])))


def _python_list(pairs: Sequence[Pair], rng: Random) -> str:
    return f"Found: {[_named(pairs, snake), {'status': 'closed'}]!r}"


def _python_object(pairs: Sequence[Pair], _: Random) -> str:
    inner = ", ".join(f"{_word(snake(key))}={value!r}" for key, value in pairs)
    return f"Result(id=48213375, holder=Holder({inner}), seats=2)"


def _word(key: str) -> str:
    return key.replace("-", "_")


def _lines(pairs: Sequence[Pair], form: str, style: Callable[[str], str]) -> str:
    return "\n".join(form.format(style(key), value) for key, value in pairs)


def _quoted(value: Any) -> str:
    text = str(value)
    return f'"{text}"' if any(c.isspace() or c in "=;," for c in text) else text


def _semicolons(pairs: Sequence[Pair], _: Random) -> str:
    return "; ".join(f"{snake(key)}={_quoted(value)}" for key, value in pairs)


def _logfmt(pairs: Sequence[Pair], _: Random) -> str:
    inner = " ".join(f"{snake(key)}={_quoted(value)}" for key, value in pairs)
    return f'ts=2026-03-14T10:15:00Z level=info msg="row loaded" {inner} took=12ms'


def _form(pairs: Sequence[Pair], rng: Random) -> str:
    named = _named(pairs, rng.choice([snake, camel]))
    return urlencode(named, quote_via=quote) if rng.random() < 0.5 else urlencode(named)


def _url(pairs: Sequence[Pair], rng: Random) -> str:
    return f"GET https://shop.example.com/checkout?{_form(pairs, rng)} HTTP/1.1"


def _yaml(pairs: Sequence[Pair], rng: Random) -> str:
    style = rng.choice([snake, camel])
    rows = [f"{style(key)}: {_scalar(value)}" for key, value in pairs]
    return "records:\n  - " + "\n    ".join(rows)


def _scalar(value: Any) -> str:
    text = str(value)
    risky = (
        text[:1] in "!&*{}[]|>@`'\"#%+-,?: 0123456789"
        or ": " in text
        or " #" in text
        or "\n" in text
    )
    return json.dumps(text, ensure_ascii=False) if risky and isinstance(value, str) else text


def _xml(pairs: Sequence[Pair], rng: Random) -> str:
    style = rng.choice([snake, camel])
    inner = "".join(f"<{style(key)}>{_markup(value)}</{style(key)}>" for key, value in pairs)
    return f'<record id="48213375">{inner}</record>'


def _xml_attributes(pairs: Sequence[Pair], _: Random) -> str:
    inner = " ".join(f'{snake(key)}="{_markup(value)}"' for key, value in pairs)
    return f"<record {inner}/>"


def _markup(value: Any) -> str:
    """Return a value for XML; entities that are a disguise stay what they are."""
    return escape(str(value)).replace("&amp;#", "&#")


def _html_table(pairs: Sequence[Pair], rng: Random) -> str:
    style = rng.choice([snake, title])
    head = "".join(f"<th>{style(key)}</th>" for key, _ in pairs)
    row = "".join(f"<td>{_markup(value)}</td>" for _, value in pairs)
    return f"<table><tr>{head}</tr><tr>{row}</tr></table>"


def _html_rows(pairs: Sequence[Pair], _: Random) -> str:
    rows = "".join(f"<tr><th>{title(k)}</th><td>{_markup(v)}</td></tr>" for k, v in pairs)
    return f"<table>{rows}</table>"


def _separated(pairs: Sequence[Pair], rng: Random, mark: str) -> str:
    style = rng.choice([snake, title])
    file = io.StringIO()
    quoting: Any = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(file, delimiter=mark, quoting=quoting, lineterminator="\n")
    writer.writerow([style(key) for key, _ in pairs])
    writer.writerow([value for _, value in pairs])
    return file.getvalue()


def _quoted_row(names: Sequence[str], values: Sequence[Any]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([names, values])
    return file.getvalue()


def _markdown_table(pairs: Sequence[Pair], rng: Random) -> str:
    style = rng.choice([snake, title])
    rows = [[style(key) for key, _ in pairs], ["---"] * len(pairs)]
    rows.append([str(value).replace("|", "\\|").replace("\n", " ") for _, value in pairs])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _headers(pairs: Sequence[Pair], _: Random) -> str:
    rows = [f"X-{'-'.join(w.title() for w in key.split())}: {value}" for key, value in pairs]
    return "\n".join(["HTTP/1.1 200 OK", "Content-Type: text/plain", *rows])


def _environment(pairs: Sequence[Pair], _: Random) -> str:
    return "\n".join(f"{upper(key)}={_quoted(value)}" for key, value in pairs)


def _ini(pairs: Sequence[Pair], _: Random) -> str:
    return "[main]\n" + _lines(pairs, "{} = {}", snake)


def _sql(pairs: Sequence[Pair], _: Random) -> str:
    names = ", ".join(snake(key) for key, _ in pairs)
    values = ", ".join(
        str(v) if isinstance(v, int) else f"'{str(v).replace(chr(39), chr(39) * 2)}'"
        for _, v in pairs
    )
    return f"INSERT INTO records ({names}) VALUES ({values});"  # noqa: S608


def _sql_update(pairs: Sequence[Pair], _: Random) -> str:
    sets = ", ".join(f"{snake(k)} = '{str(v).replace(chr(39), chr(39) * 2)}'" for k, v in pairs)
    return f"UPDATE records SET {sets} WHERE id = 48213375;"  # noqa: S608


PROSE = (
    Container("sentence", prose=lambda t: t),
    Container("two sentences", prose=lambda t: f"Thanks for waiting. {t}"),
    Container(
        "mail body", prose=lambda t: f"Hello,\n\n{t}\n\nBest regards\nthe shop", one_line=False
    ),
    Container(
        "log line", prose=lambda t: f"2026-03-14 10:15:00,482 INFO worker-3 {t}", one_line=True
    ),
    Container("error", prose=lambda t: f"ValueError: cannot read {t!r}", one_line=True),
    Container(
        "JSON note",
        prose=lambda t: json.dumps({"step": 2, "note": t}, ensure_ascii=False),
        json=True,
    ),
    Container("JSON list", prose=lambda t: json.dumps([1, {"text": t}]), json=True),
    Container(
        "JSON note in JSON", prose=lambda t: json.dumps({"out": json.dumps({"note": t})}), json=True
    ),
    Container(
        "Markdown list", prose=lambda t: f"# Notes\n\n- {t}\n- the lamp is broken", one_line=True
    ),
    Container(
        "comment in code",
        prose=lambda t: f"def load(path):\n    # {t}\n    return read(path)",
        one_line=True,
    ),
    Container("CSV cell", prose=lambda t: _quoted_row(["step", "note"], [1, t])),
    Container("XML text", prose=lambda t: f"<note><body>{_markup(t)}</body></note>"),
    Container("YAML text", prose=lambda t: f"step: 2\nnote: {json.dumps(t, ensure_ascii=False)}"),
    Container(
        "URL path",
        prose=lambda t: f"https://shop.example.com/notes/{quote(t, safe='')}?page=2",
        encoded=True,
    ),
    Container("shell", prose=lambda t: f"$ echo {t!r} >> notes.txt", one_line=True),
)
PAIRS = (
    Container("JSON", pairs=_json, json=True),
    Container("JSON, pretty", pairs=_json_pretty, json=True),
    Container("JSON, compact", pairs=_json_compact, json=True),
    Container("JSON, nested", pairs=_json_nested, json=True),
    Container("JSON in JSON", pairs=_json_twice, json=True),
    Container("JSON in JSON in JSON", pairs=_json_thrice, json=True),
    Container("JSON in prose", pairs=_json_in_prose, json=True),
    Container("JSON in a fence", pairs=_json_in_fence, json=True),
    Container("JSON lines", pairs=_json_lines, json=True),
    Container("JSON, cut off", pairs=_json_cut_off, json=True),
    Container("Python dict", pairs=_python_dict),
    Container("Python list", pairs=_python_list),
    Container("Python object", pairs=_python_object),
    Container("key: value", pairs=lambda p, _: _lines(p, "{}: {}", title), one_line=True),
    Container("snake_key: value", pairs=lambda p, _: _lines(p, "{}: {}", snake), one_line=True),
    Container("key=value", pairs=lambda p, _: _lines(p, "{}={}", snake), one_line=True),
    Container("key = value in a section", pairs=_ini, one_line=True),
    Container("Markdown keys", pairs=lambda p, _: _lines(p, "- **{}:** {}", title), one_line=True),
    Container("semicolons", pairs=_semicolons, one_line=True),
    Container("logfmt", pairs=_logfmt, one_line=True),
    Container("form", pairs=_form, encoded=True),
    Container("URL parameters", pairs=_url, encoded=True),
    Container("YAML", pairs=_yaml),
    Container("XML", pairs=_xml),
    Container("XML attributes", pairs=_xml_attributes),
    Container("HTML table", pairs=_html_table),
    Container("HTML rows", pairs=_html_rows),
    Container("CSV", pairs=lambda p, r: _separated(p, r, ",")),
    Container("CSV, semicolons", pairs=lambda p, r: _separated(p, r, ";")),
    Container("TSV", pairs=lambda p, r: _separated(p, r, "\t")),
    Container("Markdown table", pairs=_markdown_table),
    Container("HTTP headers", pairs=_headers, one_line=True),
    Container("environment", pairs=_environment, one_line=True),
    Container("SQL insert", pairs=_sql),
    Container("SQL update", pairs=_sql_update),
)
