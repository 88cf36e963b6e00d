"""Compares what redaction does to many records with what another version does to them.

    python -m tests.redact.equality CHECKOUT [--combinations 4000] [--conversations FOLDER]

CHECKOUT is a folder with the other version (`git worktree add --detach FOLDER COMMIT`), or with a
compiled build of this one (`tests/servers/compiled_build.py`). Records are
combinations of the leak hunt, real conversations, harmless texts, and hostile ones. Each version
redacts all of them, in a process of its own. Compared are the stored rows with findings, the
refusals, and the audit of each record. A change that only saves time must leave them all equal.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice, zip_longest
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import click

from benchmarks.harmless import TEXTS
from benchmarks.hostile_texts import hostile
from benchmarks.varied_traffic import endless
from benchmarks.versions import Version, serve
from redact.pipeline.jsonl import LineRedactor
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import load_policy
from schemas.record_batches import RecordKind
from tests.redact.hunt.run import drawn
from tests.redact.kit import KEYS, NOW, decoded, minimal
from tests.redact.leaks import conversations, traces
from tests.servers.shared_expressions import share_expressions

_THIS_VERSION = Path(__file__).parents[2]
_BLOCK = 256
_MOST_SHOWN = 10


class Drawn(NamedTuple):
    """Records that are redacted together, under one policy; ``schema`` may be `text`."""

    origin: str
    policy: str
    schema: str
    records: list[dict[str, Any]]


def results(policy: str, schema: str, records: Sequence[dict[str, Any]]) -> list[str]:
    """Return everything that becomes of some records: rows or refusals, findings, audit."""
    if schema == "text":
        return list(map(repr, _line_redactor(policy).lines(map(json.dumps, records))))
    batch = decoded(records, RecordKind(schema))
    outcome = audited_redactor(policy).redact(batch, ingested_at=NOW)
    rows = [json.dumps(row, default=str) for row in outcome.rows.value.to_pylist()]
    return [*rows, *map(repr, outcome.audit), *map(repr, outcome.rejected)]


@lru_cache
def audited_redactor(policy: str) -> PolicyRedactor:
    """Return the redactor of a policy, with its caches."""
    return PolicyRedactor(load_policy(policy), KEYS, audit=True)


@lru_cache
def _line_redactor(policy: str) -> LineRedactor:
    return LineRedactor(load_policy(policy), KEYS)


def draw_all(seed: int, combinations: int, folder: Path | None) -> Iterator[Drawn]:
    """Yield all records."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in drawn(seed, combinations):
        groups.setdefault((one.value.policy, one.schema), []).append(dict(one.record))
    for (policy, schema), records in groups.items():
        yield Drawn("leak hunt", policy, schema, records)
    for alike in (False, True):
        traffic = list(islice(endless(alike=alike), combinations // 4))
        yield Drawn("traffic", "strict", "trace", traffic)
    if folder is not None:
        real = [t for part in range(4) for one in conversations(folder, part) for t in traces(one)]
        yield Drawn("real conversations", "strict", "trace", real)
    texts = [text for kind in TEXTS.values() for text in islice(kind(), combinations // 10)]
    yield Drawn("harmless texts", "strict", "trace", [_said(text) for text in texts])
    random = Random(seed)  # noqa: S311  # not for secrets
    for policy in ("strict", "hipaa", "gdpr"):
        records = [_said(hostile(random)) for _ in range(combinations // 4)]
        yield Drawn("hostile", policy, "trace", records)


def _said(text: str) -> dict[str, Any]:
    profile = {"role": "tool", "content": _PROFILE}
    return minimal(messages=[profile, {"role": "user", "content": text}], response=text[::-1])


_PROFILE = json.dumps({"first_name": "Ana", "last_name": "Lopez", "dob": "1990-05-17"})


def other_version(checkout: Path) -> Version:
    """Start a version of redaction. What it lacks comes from this version."""
    words = [__file__, str(checkout), "--serve"]
    return Version(words, [checkout, _THIS_VERSION], PYTHONHASHSEED="0")


@click.command()
@click.argument("checkout", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--combinations", default=4_000, show_default=True, help="Of the leak hunt.")
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--conversations", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--serve", "serves", is_flag=True, hidden=True)
def main(
    checkout: Path, combinations: int, seed: int, folder: Path | None, *, serves: bool
) -> None:
    """Count the results that differ; exit code 1 if there are any."""
    if serves:
        share_expressions()
        serve(results)
        return
    versions = [other_version(checkout.resolve()), other_version(_THIS_VERSION)]
    click.echo(f"builds: {versions[0].build} and {versions[1].build}")
    differ = 0
    for drawn_records in draw_all(seed, combinations, folder):
        waiting = iter(drawn_records.records)
        count = before = 0
        while block := list(islice(waiting, _BLOCK)):
            for version in versions:
                version.ask(drawn_records.policy, drawn_records.schema, block)
            for old, new in zip_longest(*[version.answer() for version in versions]):
                count += 1
                if old != new:
                    before += 1
                    if differ + before <= _MOST_SHOWN:
                        click.echo(f"- {old}\n+ {new}")
        differ += before
        click.echo(
            f"{drawn_records.origin:20} {drawn_records.policy:12} {drawn_records.schema:9}"
            f"{len(drawn_records.records):6} records, {count:6} results, {before} differ"
        )
    for version in versions:
        version.end()
    sys.exit(int(differ > 0))


if __name__ == "__main__":
    main()
