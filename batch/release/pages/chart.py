"""An SVG chart that compares a release with production: a pair of bars for each value."""

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

_LEFT: Final = 190
_BARS: Final = 430
_WIDTH: Final = 720
_BAR: Final = 9
_ROW: Final = 30
_TITLE: Final = 34
_RELEASE: Final = "#c8860a"
_PRODUCTION: Final = "#9aa7b4"
_LONGEST: Final = 26


class SharePair(NamedTuple):
    """A value of a column, and its share (0 to 1) in production and in the release."""

    value: str
    production: float
    release: float


class ShareGroup(NamedTuple):
    """A column and its values."""

    column: str
    pairs: Sequence[SharePair]


def draw_shares(groups: Sequence[ShareGroup], title: str) -> str:
    """Return the chart; texts are escaped, and long ones cut (tooltips show them in full)."""
    height = _TITLE + 22 + sum(_TITLE + _ROW * len(group.pairs) for group in groups) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img" font-family="system-ui,sans-serif" '
        'font-size="12" fill="#1d2329">',
        f"<title>{escape(title)}</title>",
        *_legend(),
    ]
    at = _TITLE + 22
    for group in groups:
        lines.append(f'<text x="0" y="{at + 4}" font-weight="600">{_cut(group.column)}</text>')
        at += _TITLE - 14
        for pair in group.pairs:
            lines += _bars(pair, at)
            at += _ROW
        at += 14
    return "\n".join([*lines, "</svg>"])


def _legend() -> list[str]:
    return [
        f'<rect x="{_LEFT}" y="10" width="12" height="{_BAR}" fill="{_PRODUCTION}"/>',
        f'<text x="{_LEFT + 18}" y="19">the traces</text>',
        f'<rect x="{_LEFT + 110}" y="10" width="12" height="{_BAR}" fill="{_RELEASE}"/>',
        f'<text x="{_LEFT + 128}" y="19">release</text>',
    ]


def _bars(pair: SharePair, at: int) -> list[str]:
    shares = f"{pair.production:.1%} of the traces, {pair.release:.1%} of the release"
    return [
        f"<g><title>{escape(f'{pair.value}: {shares}')}</title>",
        f'<text x="{_LEFT - 10}" y="{at + 13}" text-anchor="end">{_cut(pair.value)}</text>',
        *_bar(pair.production, at, _PRODUCTION),
        *_bar(pair.release, at + _BAR + 2, _RELEASE),
        "</g>",
    ]


def _bar(share: float, at: int, colour: str) -> list[str]:
    width = max(1.0, share * _BARS)
    return [
        f'<rect x="{_LEFT}" y="{at}" width="{width:.1f}" height="{_BAR}" rx="1.5" '
        f'fill="{colour}"/>',
        f'<text x="{_LEFT + width + 6:.1f}" y="{at + _BAR - 0.5}" font-size="10" '
        f'fill="#59636e">{share:.1%}</text>',
    ]


def _cut(text: str) -> str:
    return escape(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
