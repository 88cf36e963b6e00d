"""A page as a list of blocks, rendered as Markdown and HTML with the same content."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

_CODE = re.compile(r"`([^`]+)`")
_SPECIAL = re.compile(r"([\\|*_<>\[\]#])")
_SPECIAL_IN_QUOTES = re.compile(r"([\\|*_<>\[\]#`~])")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Signs without a shape; some of them turn the direction of the text that follows."""

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1d2329}
body{max-width:52rem;margin:2.5rem auto;padding:0 1rem}
h1{font-size:1.7rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;margin:.6rem 0;font-size:.9rem;display:block;overflow-x:auto}
th,td{padding:.25rem .7rem;border-bottom:1px solid #dde3e8;text-align:left;white-space:nowrap}
td:first-child{white-space:normal}
th{color:#59636e;font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
code{background:#f2f4f6;padding:.1em .3em;border-radius:3px;font-size:.88em;overflow-wrap:anywhere}
.note{background:#fff6e0;border-left:3px solid #d29a00;padding:.5rem .8rem;margin:.5rem 0}
svg{max-width:100%;height:auto}
""".strip()


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; ``level`` 1 is the title of the page."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; text in backquotes is code. ``note`` sets it apart."""

    text: str
    note: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. Columns from ``numbers_from`` on are numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers_from: int = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """An SVG image, which only HTML shows; Markdown shows ``instead``."""

    svg: str
    instead: str


@dataclass(frozen=True, slots=True, repr=False)
class Quotes:
    """Texts of others, each with its label, side by side where the page is wide enough.

    Nothing in them is markup, whatever they hold.
    """

    quotes: Sequence[tuple[str, str]]


Block: TypeAlias = Heading | Text | Grid | Figure | Quotes


def render_markdown(blocks: Sequence[Block]) -> str:
    """Return a page as Markdown."""
    return "\n\n".join(_as_markdown(block) for block in blocks) + "\n"


def render_html(title: str, blocks: Sequence[Block], more_style: str = "") -> str:
    """Return a page as self-contained HTML: no script, no font, no network."""
    body = "\n".join(_as_html(block) for block in blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{more_style}</style>\n</head>\n<body>\n{body}\n"
        "</body>\n</html>\n"
    )


def _as_markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {_escape_markdown(text)}"
        case Text(text, note):
            return f"> {_escape_markdown(text)}" if note else _escape_markdown(text)
        case Figure(_, instead):
            return _escape_markdown(instead)
        case Grid(head, rows, numbers_from):
            line = ["---" if i < numbers_from else "--:" for i in range(len(head))]
            cells = [head, line, *([_escape_markdown(cell) for cell in row] for row in rows)]
            return "\n".join(f"| {' | '.join(row)} |" for row in cells)
        case Quotes(quotes):
            return "\n\n".join(
                f"> {_escape_markdown(label)}: {_escape_quote(text)}" for label, text in quotes
            )


def _escape_markdown(text: str) -> str:
    """Escape the characters that Markdown interprets, except in code."""
    parts = _CODE.split(text.replace("\n", " "))
    return "".join(
        f"`{part}`" if i % 2 else _SPECIAL.sub(r"\\\1", part) for i, part in enumerate(parts)
    )


def _as_html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{_html_text(text)}</h{level}>"
        case Text(text, note):
            return (
                f'<p class="note">{_html_text(text)}</p>' if note else f"<p>{_html_text(text)}</p>"
            )
        case Figure(svg, _):
            return svg
        case Grid(head, rows, numbers_from):
            lines = [_html_row("th", head, numbers_from)]
            lines += [_html_row("td", row, numbers_from) for row in rows]
            return "<table>\n" + "\n".join(lines) + "\n</table>"
        case Quotes(quotes):
            parts = [
                f'<figure><figcaption>{escape(label)}</figcaption><div class="said" dir="auto">'
                f"{escape(_without_controls(text))}</div></figure>"
                for label, text in quotes
            ]
            return f'<div class="quotes">{"".join(parts)}</div>'


def _html_row(tag: str, cells: Sequence[str], numbers_from: int) -> str:
    rendered = [
        f"<{tag}{' class=n' if i >= numbers_from else ''}>{_html_text(cell)}</{tag}>"
        for i, cell in enumerate(cells)
    ]
    return f"<tr>{''.join(rendered)}</tr>"


def _without_controls(text: str) -> str:
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def _escape_quote(text: str) -> str:
    return _SPECIAL_IN_QUOTES.sub(r"\\\1", " ".join(_without_controls(text).split()))


def _html_text(text: str) -> str:
    parts = _CODE.split(text)
    return "".join(
        f"<code>{escape(part)}</code>" if i % 2 else escape(part) for i, part in enumerate(parts)
    )


def count_of(count: int, singular: str, plural: str) -> str:
    """Return a count with the noun in its singular or plural."""
    return f"{count} {singular if count == 1 else plural}"


def format_share(value: float | None) -> str:
    """Return a share as a percentage, a dash for none."""
    return "-" if value is None else f"{value:.1%}"
