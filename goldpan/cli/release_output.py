"""Releases as people and machines read them: what was built, what it is, how two differ."""

from collections.abc import Mapping
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from batch.release.format.manifest import PopulationFacts, ReleaseFacts
from batch.release.format.version import ChangeLevel
from batch.release.publish.build import BuildResult
from batch.release.publish.diff import ReleaseDiff
from batch.release.publish.repository import ReleaseVersion
from batch.release.publish.verify import ReleaseVerification
from goldpan.cli.formatting import format_count
from goldpan.cli.plain_console import styled

DIGITS: Final = 12
"""So many digits of a digest are shown where it only has to be told from others."""


def rows_text(facts: ReleaseFacts) -> str:
    """Return how many rows there are, and how many of them are synthetic."""
    made = facts["synthetic"]["rows"] if "synthetic" in facts else 0
    count = format_count(facts["row_count"])
    return f"{count} rows, {format_count(made)} of them synthetic" if made else f"{count} rows"


def policies_text(policies: Mapping[str, int]) -> Text:
    """Return that rows are of more than one redaction policy, and how many of each."""
    each = ", ".join(f"{policy} {format_count(many)}" for policy, many in sorted(policies.items()))
    return styled("yellow", f"rows of {len(policies)} redaction policies", f": {each}")


def built_json(built: BuildResult) -> dict[str, Any]:
    """Return what came of a build as JSON has it."""
    return {
        "ok": True,
        "name": built.name,
        "version": str(built.version),
        "digest": f"sha256:{built.digest}",
        "published": built.level is not ChangeLevel.NONE,
        "level": str(built.level),
        "rows": built.rows,
        "previous": str(built.before) if built.before else None,
        "changes": built.changes.counts(),
        "redaction_policies": dict(built.policies),
        "why": list(built.spec_changes),
        "population": dict(built.population),
        "warnings": list(built.population.get("warnings", [])),
    }


def show_built(console: Console, built: BuildResult, signed_by: str | None) -> None:
    """Print what came of a build."""
    where = f"{built.name}@{built.version}"
    show_population(console, built.population)
    if built.level is ChangeLevel.NONE:
        console.print(
            f"nothing is new: {where} holds these {format_count(built.rows)} rows already"
        )
        _tell_signer(console, signed_by)
        return
    console.print(f"published {where}: {format_count(built.rows)} rows")
    if built.policies:
        console.print(policies_text(built.policies), soft_wrap=True)
    if built.before:
        console.print(f"{built.level} after {built.before}: {_counts(built.changes.counts())}")
        for one in built.spec_changes:
            console.print(f"since {one.replace('`', '')}", soft_wrap=True)
    console.print(f"pin it as {built.name}@sha256:{built.digest}", soft_wrap=True)
    _tell_signer(console, signed_by)


def show_population(console: Console, population: PopulationFacts) -> None:
    """Print which traces a release speaks for, and what in its spec looks like a mistake."""
    for one in population.get("warnings", []):
        console.print(styled("yellow", "warning", f": {one}"), soft_wrap=True)
    if again := population.get("sent_again_otherwise"):
        told = (
            f": {format_count(again)} traces came more than once, with other content; of each the"
        )
        console.print(
            styled("yellow", "warning", f"{told} first counts (docs/releases.md finds them)"),
            soft_wrap=True,
        )
    if "labels" in population:
        counts = ", ".join(f"{format_count(n)} {what}" for what, n in population["labels"].items())
        console.print(
            f"of {format_count(sum(population['labels'].values()))} traces ({counts}) it speaks for "
            f"{format_count(population['traces'])}: {population['is']}",
            soft_wrap=True,
        )


def _tell_signer(console: Console, signed_by: str | None) -> None:
    if signed_by is not None:
        console.print(f"signed by {signed_by}", soft_wrap=True)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{format_count(n)} {what}" for what, n in counts.items() if n) or "nothing"


def version_json(one: ReleaseVersion) -> dict[str, Any]:
    """Return a version as JSON has it."""
    return {
        "name": one.name,
        "version": str(one.version),
        "digest": f"sha256:{one.digest}",
        "state": one.state,
        "erased": one.erased,
    }


def strata_table(facts: ReleaseFacts) -> Table:
    """Return the strata of a release as a table."""
    table = Table("stratum", "traces", "clusters", "drawn", "rows", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for stratum in facts["design"]["strata"]:
        numbers = (stratum["traces"], stratum["clusters"], stratum["drawn"], stratum["rows"])
        table.add_row(stratum["name"], *(format_count(number) for number in numbers))
    return table


def show_verdict(console: Console, verdict: ReleaseVerification, *, passes: bool) -> None:
    """Print what a verification found."""
    for problem in verdict.problems:
        console.print(styled("red", "wrong", f": {problem}"), soft_wrap=True)
    if verdict.withdrawn is not None:
        console.print(f"withdrawn: {verdict.withdrawn}", markup=False, soft_wrap=True)
        if verdict.ok and not passes:
            console.print(
                "all of it is as it was published, but do not use it (--allow-withdrawn)",
                soft_wrap=True,
            )
    if passes:
        gone = f" except {format_count(verdict.erased)} erased rows" if verdict.erased else ""
        rows = f"{format_count(verdict.rows)} rows, sha256:{verdict.digest}"
        console.print(
            styled("green", f"ok{gone}", f": {verdict.name}@{verdict.version}, {rows}"),
            soft_wrap=True,
        )
    for key in verdict.publishers:
        console.print(f"signed by {key}", soft_wrap=True)


def difference_json(old: ReleaseVersion, new: ReleaseVersion, found: ReleaseDiff) -> dict[str, Any]:
    """Return how two versions differ, as JSON has it."""
    return {
        "name": old.name,
        "before": str(old.version),
        "after": str(new.version),
        "level": str(found.changes.level),
        "changes": found.changes.counts(),
        "added": list(found.changes.added),
        "removed": list(found.changes.removed),
        "relabelled": list(found.changes.relabelled),
        "edited": list(found.changes.edited),
        "moved": list(found.changes.moved),
        "labels": {label: list(pair) for label, pair in found.labels.items()},
        "strata": {stratum: list(pair) for stratum, pair in found.strata.items()},
    }


def show_difference(console: Console, found: ReleaseDiff) -> None:
    """Print how two versions differ: rows, labels, strata."""
    console.print(_counts(found.changes.counts()))
    for what, mix in (("label", found.labels), ("stratum", found.strata)):
        table = Table(what, "before", "after", "", box=box.SIMPLE_HEAD)
        for value, (old, new) in mix.items():
            if old != new or what == "label":
                table.add_row(value, str(old), str(new), f"{new - old:+d}" if new != old else "")
        if table.row_count:
            console.print(table)
