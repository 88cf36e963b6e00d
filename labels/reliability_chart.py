"""Draws the reliability diagram as SVG, without a library."""

from collections.abc import Sequence

from labels.diagnostics import ReliabilityBin

_SIDE, _EDGE = 320, 50
_SMALL = 'font-family="sans-serif" font-size="11" fill="#444"'


def draw_reliability_chart(bins: Sequence[ReliabilityBin], title: str) -> str:
    """Return the chart: predicted probability across, share that failed upwards, circles by weight.

    ``title`` is escaped. On the dashed diagonal the probabilities are exactly right.
    """
    largest = max((each.weight for each in bins), default=1.0) or 1.0
    circles = [
        f'<circle cx="{_x(each.mean_p):.1f}" cy="{_y(each.failed):.1f}" '
        f'r="{3 + 9 * (each.weight / largest) ** 0.5:.1f}" fill="#2a6" fill-opacity="0.6">'
        f"<title>{each.reviews} reviews: predicted {each.mean_p:.2f}, "
        f"failed {each.failed:.2f}</title></circle>"
        for each in bins
    ]
    points = " ".join(f"{_x(each.mean_p):.1f},{_y(each.failed):.1f}" for each in bins)
    size = _SIDE + 2 * _EDGE
    upwards = _text(14, size / 2, "share that failed")
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" '
        f'viewBox="0 0 {size} {size}" role="img">',
        f"<title>{_escaped(title)}</title>",
        f'<rect width="{size}" height="{size}" fill="#fff"/>',
        f'<rect x="{_EDGE}" y="{_EDGE}" width="{_SIDE}" height="{_SIDE}" fill="none" '
        'stroke="#999"/>',
        f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="#999" '
        'stroke-dasharray="4 4"/>',
        f'<polyline points="{points}" fill="none" stroke="#2a6"/>',
        *circles,
        *_scale(),
        _text(size / 2, 28, title),
        _text(size / 2, size - 10, "predicted probability of fail"),
        f'<g transform="rotate(-90 14 {size / 2})">{upwards}</g>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _scale() -> list[str]:
    marks = (0.0, 0.25, 0.5, 0.75, 1.0)
    across = [_text(_x(mark), _EDGE + _SIDE + 16, f"{mark:g}") for mark in marks]
    return across + [_text(_EDGE - 16, _y(mark) + 4, f"{mark:g}") for mark in marks]


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" {_SMALL}>{_escaped(text)}</text>'


def _x(share: float) -> float:
    return _EDGE + share * _SIDE


def _y(share: float) -> float:
    return _EDGE + (1 - share) * _SIDE


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
