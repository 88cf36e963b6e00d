"""An SVG chart of estimates with their bounds and bars, one line each."""

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

_LEFT: Final = 250
_PLOT: Final = 430
_WIDTH: Final = 720
_ROW: Final = 22
_TOP: Final = 14
_LONGEST: Final = 38
_COLOURS: Final = {"fails": "#b3261e", "clears": "#2e7d32", "open": "#8a6d1a"}


class ForestLine(NamedTuple):
    """An estimate with its bounds (None: without limit), its bar, and its state."""

    name: str
    estimate: float
    low: float | None
    high: float | None
    bar: float
    state: str


def draw_forest(lines: Sequence[ForestLine], title: str) -> str:
    """Return the chart; texts are escaped, and long ones cut (tooltips show them in full)."""
    known = [
        value
        for line in lines
        for value in (line.estimate, line.low, line.high, line.bar)
        if value is not None
    ]
    least, most = min(known, default=0.0), max(known, default=1.0)
    span = (most - least) or 1.0

    def x(value: float) -> float:
        return round(_LEFT + 10 + (value - least) / span * (_PLOT - 20), 1)

    height = 2 * _TOP + _ROW * len(lines)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img" font-family="system-ui,sans-serif" '
        'font-size="12" fill="#1d2329">',
        f"<title>{escape(title)}</title>",
    ]
    for at, line in enumerate(lines):
        y = _TOP + _ROW * at + _ROW // 2
        colour = _COLOURS.get(line.state, "#59636e")
        low = least if line.low is None else line.low
        high = most if line.high is None else line.high
        drawn += [
            f'<text x="0" y="{y + 4}">{_cut(line.name)}</text>',
            f'<line x1="{x(low)}" x2="{x(high)}" y1="{y}" y2="{y}" stroke="{colour}"/>',
            f'<circle cx="{x(line.estimate)}" cy="{y}" r="4" fill="{colour}"/>',
            f'<line x1="{x(line.bar)}" x2="{x(line.bar)}" y1="{y - 8}" y2="{y + 8}" '
            'stroke="#1d2329" stroke-dasharray="2 2"/>',
        ]
    return "\n".join([*drawn, "</svg>"])


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return escape(text)
    return f"{escape(text[: _LONGEST - 1])}…<title>{escape(text)}</title>"
