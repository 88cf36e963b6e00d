"""The report for a privacy officer: what was scanned, found, replaced and refused.

Plain HTML without scripts or external resources. It contains counts and the policy, never a value.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

from redact.pipeline.jsonl import RedactedLine
from redact.policies.data_types import DATA_TYPES
from redact.policies.policy import RedactionPolicy


@dataclass
class RedactionTally:
    """Totals over lines, for the report."""

    lines: int = 0
    characters: int = 0
    replaced: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)

    def add(self, line: RedactedLine) -> None:
        """Count one line."""
        self.lines += 1
        self.characters += line.characters
        self.replaced.update(line.replaced)
        self.kept.update(line.kept)
        if line.problem:
            self.problems[line.problem] += 1


def render_report(
    tally: RedactionTally, policy: RedactionPolicy, *, policy_hash: str, made_at: str
) -> str:
    """Return the page. ``made_at`` is the time to print on it, as text."""
    passed = tally.lines - sum(tally.problems.values())
    summary = [
        ("Made", made_at),
        ("Policy", f"{policy.name} ({policy_hash})"),
        ("Lines read", f"{tally.lines:,}"),
        ("Lines passed", f"{passed:,}"),
        ("Lines refused", f"{tally.lines - passed:,}"),
        ("Characters looked through", f"{tally.characters:,}"),
        ("Values replaced", f"{sum(tally.replaced.values()):,}"),
        ("Values found and kept", f"{sum(tally.kept.values()):,}"),
    ]
    replaced = [(*key.split("/"), f"{count:,}") for key, count in tally.replaced.most_common()]
    kept_rows = [(kind, f"{count:,}") for kind, count in tally.kept.most_common()]
    rules = [
        (kind, DATA_TYPES.get(kind, ""), rule.operator, f"{rule.score:g}")
        for kind, rule in sorted(policy.entities.items())
    ]
    problems = [(problem, f"{count:,}") for problem, count in tally.problems.most_common()]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8"><title>Redaction report</title>',
            f"<style>{_STYLE}</style></head><body>",
            "<h1>Redaction report</h1>",
            f"<p>{escape(policy.description)}</p>",
            _table("Summary", (), summary),
            _table("Replaced", ("Type", "Operator", "Count"), replaced),
            _table("Found and kept, as the policy says", ("Type", "Count"), kept_rows),
            _table("Refused: not in the output at all", ("Reason", "Count"), problems),
            _table("The policy's rules", ("Type", "What it is", "Operator", "From score"), rules),
            "<p>Counts only: no value that was found stands on this page.</p>",
            "</body></html>",
        ]
    )


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;"
    "color:#1a1a1a}"
    "h1{margin-bottom:.3rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}"
    "table{border-collapse:collapse;width:100%}tr{break-inside:avoid}"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #ddd}"
    "th{border-bottom:2px solid #888}"
    "th:last-child,td:last-child{text-align:right;font-variant-numeric:tabular-nums"
    "}"
    "@media print{body{font-size:11pt;margin:0}}"
)


def _table(title: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    if not body:
        return f"<h2>{escape(title)}</h2><p>None.</p>"
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    top = f"<thead><tr>{heads}</tr></thead>" if heads else ""
    return f"<h2>{escape(title)}</h2><table>{top}<tbody>{body}</tbody></table>"
