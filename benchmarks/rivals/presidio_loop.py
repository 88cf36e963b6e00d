"""The plain loop with Presidio in it, as one writes it first: each text analysed and replaced.

Presidio is as shipped, but with a blank pipeline instead of a model for names, and values are
replaced here: both take less time than its defaults. It reads messages and responses; the plain
loop drops calls of tools.

    python -m benchmarks.rivals.presidio_loop BOOTSTRAP TOPIC COUNT TABLE [same]

With `same` it has the recognisers of goldpan's default policy instead of its own.
"""

import sys
from collections.abc import Callable, Iterable

from benchmarks.reference_detector import ReferenceDetector
from benchmarks.rivals.plain_loop import Row, consume_and_write, parse_row
from benchmarks.stock_presidio import build_stock_engine
from redact.policies.policy import load_policy
from redact.recognition.catalogue import build_recognisers

TypedSpan = tuple[int, int, str]
Finder = Callable[[str], Iterable[TypedSpan]]


def find_as_shipped() -> Finder:
    """Return what finds with Presidio's own recognisers."""
    engine = build_stock_engine()
    return lambda text: [
        (each.start, each.end, each.entity_type) for each in engine.analyze(text, language="en")
    ]


def find_the_same() -> Finder:
    """Return what finds with the recognisers of goldpan's default policy."""
    detector = ReferenceDetector(build_recognisers(load_policy("strict")))
    return lambda text: [(each.start, each.end, each.type) for each in detector.find(text)]


class PresidioLoop:
    """Turns records into rows whose texts Presidio has read."""

    def __init__(self, find: Finder) -> None:
        self._find = find

    def row(self, value: bytes) -> Row:
        """Return the row of a record, redacted."""
        row = parse_row(value)
        for owner, name in ((row, "response"), *((each, "content") for each in row["messages"])):
            if owner.get(name):
                owner[name] = self.redact(owner[name])
        return row

    def redact(self, text: str) -> str:
        """Return a text with `<TYPE>` in place of what Presidio finds; overlaps become one."""
        pieces: list[str] = []
        copied = 0
        for start, end, kind in sorted(self._find(text), key=lambda span: (span[0], -span[1])):
            if start >= copied:
                pieces += [text[copied:start], f"<{kind}>"]
            copied = max(copied, end)
        return "".join([*pieces, text[copied:]])


if __name__ == "__main__":
    find = find_the_same() if sys.argv[5:] == ["same"] else find_as_shipped()
    consume_and_write(PresidioLoop(find).row)
