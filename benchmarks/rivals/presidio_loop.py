"""The plain loop with Presidio in it, as one writes it first: each text analysed and replaced.

Presidio is as shipped, but with a blank pipeline instead of a model for names, and values are
replaced here: both take less time than its defaults. It reads messages and responses; the plain
loop drops calls of tools.

    python -m benchmarks.rivals.presidio_loop BOOTSTRAP TOPIC COUNT TABLE [same]

With `same` it has the recognisers of goldpan's default policy instead of its own.
"""

import sys

from presidio_analyzer import AnalyzerEngine

from benchmarks.rivals.plain_loop import Row, consume_and_write, parse_row
from benchmarks.stock_presidio import build_engine_of, build_stock_engine
from redact.policies.policy import load_policy
from redact.recognition.catalogue import build_recognisers


class PresidioLoop:
    """Turns records into rows whose texts Presidio has read."""

    def __init__(self, engine: AnalyzerEngine) -> None:
        self._engine = engine

    def row(self, value: bytes) -> Row:
        """Return the row of a record, redacted."""
        row = parse_row(value)
        for owner, name in ((row, "response"), *((each, "content") for each in row["messages"])):
            if owner.get(name):
                owner[name] = self.redact(owner[name])
        return row

    def redact(self, text: str) -> str:
        """Return a text with `<TYPE>` in place of what Presidio finds; overlaps become one."""
        found = self._engine.analyze(text, language="en")
        pieces: list[str] = []
        copied = 0
        for each in sorted(found, key=lambda one: (one.start, -one.end)):
            if each.start >= copied:
                pieces += [text[copied : each.start], f"<{each.entity_type}>"]
            copied = max(copied, each.end)
        return "".join([*pieces, text[copied:]])


if __name__ == "__main__":
    same = sys.argv[5:] == ["same"]
    engine = (
        build_engine_of(build_recognisers(load_policy("strict"))) if same else build_stock_engine()
    )
    consume_and_write(PresidioLoop(engine).row)
