"""Output of the release commands, as text and as JSON."""

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
from goldpan.cli.formatting import format_count, format_quantity
from goldpan.cli.plain_console import styled

DIGITS: Final = 12
"""Digits of a digest shown where it only needs to be distinguished from others."""


def rows_text(manifest: ReleaseFacts) -> str:
    """Return the number of rows, and how many of them are synthetic."""
    synthetic = manifest["synthetic"]["rows"] if "synthetic" in manifest else 0
    rows = format_quantity(manifest["row_count"], "row")
    return f"{rows}, {format_count(synthetic)} of them synthetic" if synthetic else rows


def policies_text(policies: Mapping[str, int]) -> Text:
    """Return a line about rows of several redaction policies, with the count of each."""
    each = ", ".join(f"{policy} {format_count(n)}" for policy, n in sorted(policies.items()))
    return styled(
        "yellow",
        f"rows of {format_quantity(len(policies), 'redaction policy', 'redaction policies')}",
        f": {each}",
    )


def built_json(built: BuildResult) -> dict[str, Any]:
    """Return the result of a build as JSON."""
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
    """Print the result of a build."""
    version = f"{built.name}@{built.version}"
    rows = format_quantity(built.rows, "row")
    show_population(console, built.population)
    if built.level is ChangeLevel.NONE:
        console.print(f"nothing changed: {version} already has these {rows}")
        _show_signer(console, signed_by)
        return
    console.print(f"published {version}: {rows}")
    if built.policies:
        console.print(policies_text(built.policies), soft_wrap=True)
    if built.before:
        console.print(f"{built.level} after {built.before}: {_counts(built.changes.counts())}")
        for reason in built.spec_changes:
            console.print(f"because {reason.replace('`', '')}", soft_wrap=True)
    console.print(f"pin it as {built.name}@sha256:{built.digest}", soft_wrap=True)
    _show_signer(console, signed_by)


def show_population(console: Console, population: PopulationFacts) -> None:
    """Print which traces a release represents, and warnings about its spec."""
    for warning in population.get("warnings", []):
        console.print(styled("yellow", "warning", f": {warning}"), soft_wrap=True)
    if resent := population.get("sent_again_otherwise"):
        traces = format_quantity(resent, "trace")
        rest = f": {traces} sent again with other content; the first one counts (docs/releases.md)"
        console.print(styled("yellow", "warning", rest), soft_wrap=True)
    if "labels" in population:
        labels = ", ".join(
            f"{format_count(n)} {label}" for label, n in population["labels"].items()
        )
        traces = format_quantity(sum(population["labels"].values()), "trace")
        console.print(
            f"represents {format_count(population['traces'])} of {traces} ({labels}): "
            f"{population['is']}",
            soft_wrap=True,
        )


def _show_signer(console: Console, signed_by: str | None) -> None:
    if signed_by is not None:
        console.print(f"signed by {signed_by}", soft_wrap=True)


def _counts(counts: Mapping[str, int]) -> str:
    return (
        ", ".join(f"{format_count(n)} {change}" for change, n in counts.items() if n)
        or "no changes"
    )


def version_json(version: ReleaseVersion) -> dict[str, Any]:
    """Return a version as JSON."""
    return {
        "name": version.name,
        "version": str(version.version),
        "digest": f"sha256:{version.digest}",
        "state": version.state,
        "erased": version.erased,
    }


def strata_table(manifest: ReleaseFacts) -> Table:
    """Return the strata of a release as a table."""
    table = Table("stratum", "traces", "clusters", "drawn", "rows", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for stratum in manifest["design"]["strata"]:
        numbers = (stratum["traces"], stratum["clusters"], stratum["drawn"], stratum["rows"])
        table.add_row(stratum["name"], *(format_count(number) for number in numbers))
    return table


def show_verification(console: Console, verification: ReleaseVerification, *, passes: bool) -> None:
    """Print the result of a verification."""
    for problem in verification.problems:
        console.print(styled("red", "wrong", f": {problem}"), soft_wrap=True)
    if verification.withdrawn is not None:
        console.print(f"withdrawn: {verification.withdrawn}", markup=False, soft_wrap=True)
        if verification.ok and not passes:
            console.print(
                "unchanged since publication; use another version, or give --allow-withdrawn",
                soft_wrap=True,
            )
    if passes:
        erased = verification.erased
        exception = f" except {format_quantity(erased, 'erased row')}" if erased else ""
        version = f"{verification.name}@{verification.version}"
        rows = format_quantity(verification.rows, "row")
        console.print(
            styled("green", f"ok{exception}", f": {version}, {rows}, sha256:{verification.digest}"),
            soft_wrap=True,
        )
    for key in verification.publishers:
        console.print(f"signed by {key}", soft_wrap=True)


def difference_json(old: ReleaseVersion, new: ReleaseVersion, diff: ReleaseDiff) -> dict[str, Any]:
    """Return the difference of two versions as JSON."""
    return {
        "name": old.name,
        "before": str(old.version),
        "after": str(new.version),
        "level": str(diff.changes.level),
        "changes": diff.changes.counts(),
        "added": list(diff.changes.added),
        "removed": list(diff.changes.removed),
        "relabelled": list(diff.changes.relabelled),
        "edited": list(diff.changes.edited),
        "moved": list(diff.changes.moved),
        "labels": {label: list(pair) for label, pair in diff.labels.items()},
        "strata": {stratum: list(pair) for stratum, pair in diff.strata.items()},
    }


def show_difference(console: Console, diff: ReleaseDiff) -> None:
    """Print the difference of two versions: rows, labels, strata."""
    console.print(_counts(diff.changes.counts()))
    for name, counts in (("label", diff.labels), ("stratum", diff.strata)):
        table = Table(name, "before", "after", "change", box=box.SIMPLE_HEAD)
        for column in table.columns[1:]:
            column.justify = "right"
        for value, (old, new) in counts.items():
            if old != new or name == "label":
                change = f"{new - old:+,}" if new != old else ""
                table.add_row(value, format_count(old), format_count(new), change)
        if table.row_count:
            console.print(table)
