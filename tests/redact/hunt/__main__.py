"""Runs the leak hunt: python -m tests.redact.hunt --combinations 20000 --seed 7 --show 20.

Prints the share of personal values that are left and of harmless twins that are changed, by each
axis, and the first failures. With --shrink failures are made as simple as they can be and grouped;
with --keep the new kinds among them become fixed cases (`found.jsonl`).
The exit code is 1 if a value is left, or more than 0.5 % of the twins are changed.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence

from tests.redact.hunt.combine import Combination, draw
from tests.redact.hunt.found import add
from tests.redact.hunt.report import AXES, example, summary, tables, tally
from tests.redact.hunt.run import drawn, verdict, verdicts
from tests.redact.hunt.shrink import shrunk, signature

MOST_CHANGED = 0.005


def main() -> int:
    """Run a hunt and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--combinations", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=20, metavar="N", help="failures to print")
    parser.add_argument("--by", default=",".join(AXES), help="axes to print, with commas between")
    parser.add_argument(
        "--shrink", type=int, default=0, metavar="N", help="failures to make simple"
    )
    parser.add_argument("--number", type=int, help="print one combination and what comes of it")
    parser.add_argument("--keep", action="store_true", help="add the kinds to found.jsonl")
    args = parser.parse_args()
    if args.number is not None:
        for one in draw(args.seed, args.number):
            found = verdict(one)
            print(f"{example(found)}\n    {json.dumps(found.output, ensure_ascii=False)}")
        return 0
    counted = tally(verdicts(drawn(args.seed, args.combinations)))
    print(tables(counted, args.by.split(",")))
    for failure in counted.failures[: args.show]:
        print(f"\n{example(failure)}")
    if args.shrink or args.keep:
        simple = [shrunk(f.combination) for f in counted.failures[: args.shrink or None]]
        print(f"\n{kinds(simple)}")
        if args.keep:
            print(f"\n{add(simple)} new kinds in found.jsonl")
    print(f"\n{summary(counted)}")
    return int(counted.share(harmless=False) > 0 or counted.share(harmless=True) > MOST_CHANGED)


def kinds(simplest: Sequence[Combination]) -> str:
    """Return the kinds of failures, the most frequent first, each with its simplest input."""
    groups: defaultdict[tuple[bool, str], list[Combination]] = defaultdict(list)
    for simple in simplest:
        groups[simple.harmless, signature(simple)].append(simple)
    lines = []
    for (harmless, name), some in sorted(groups.items(), key=lambda item: -len(item[1])):
        shortest = min(some, key=lambda one: len(json.dumps(one.record)))
        found = verdict(shortest)
        shown = json.dumps(content(shortest.record), ensure_ascii=False)
        what = "harmless: " if harmless else ""
        lines.append(f"- {len(some)} x {what}{name}\n      {shown}\n      {found.wrong[:300]}")
    return "\n".join(lines)


def content(record: dict[str, object]) -> object:
    """Return what a record says, without the fields that every record has."""
    if set(record) == {"id", "text"}:
        return record["text"]
    usual = {"trace_id", "app", "started_at", "status", "feedback_id", "occurred_at", "actor"}
    return {key: value for key, value in record.items() if key not in usual}


if __name__ == "__main__":
    sys.exit(main())
