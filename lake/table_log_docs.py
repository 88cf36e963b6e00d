"""Writes the page ``docs/table-log.md``: ``python -m lake.table_log_docs docs/table-log.md``."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from lake.fences import ERASURE_FENCE, RELABEL_FENCE
from lake.table_log import APP_ID_KINDS, METADATA_KEYS


def render_table_log_page() -> str:
    """Return the page as Markdown."""
    return "\n".join([*_head(), *_app_ids(), *_metadata(), *_properties()])


def _head() -> Iterator[str]:
    yield from (
        "# What a table's log holds",
        "",
        "Written by `python -m lake.table_log_docs docs/table-log.md` from `lake/table_log.py`; a "
        "test holds it equal to it, and to what lakes in tests contain.",
        "",
        "Each table keeps its own state in its transaction log: there is no second store. Readers "
        "of Delta tables ignore what is listed here. Another program that writes to the tables "
        "must not change it.",
        "",
    )


def _app_ids() -> Iterator[str]:
    yield from (
        "## Application ids",
        "",
        'Under an application id a table keeps one number (Delta protocol, "Transaction '
        'Identifiers"). It changes only in the same commit as the rows that it is about. A name '
        "that begins with `#` is that of no topic.",
        "",
    )
    yield from _table(
        ("application id", "in", "number", "written by"),
        ((f"`{k.form}`", k.tables, k.number, k.written_by) for k in APP_ID_KINDS),
    )


def _metadata() -> Iterator[str]:
    yield from (
        "",
        "## Metadata of commits",
        "",
        "Keys in the `commitInfo` of a commit; the values are texts, mostly JSON.",
        "",
    )
    yield from _table(
        ("key", "in", "holds"), ((f"`{k.key}`", k.commits, k.holds) for k in METADATA_KEYS)
    )


def _properties() -> Iterator[str]:
    yield from (
        "",
        "## Table properties",
        "",
        "A property changes with each fence, so that a commit compared before it cannot land after "
        "it (`lake.fences`).",
        "",
    )
    yield from _table(
        ("property", "value"),
        (
            (f"`goldpan.{fence.property_name}`", f"The number under `{fence.app}`.")
            for fence in (ERASURE_FENCE, RELABEL_FENCE)
        ),
    )
    yield ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_table_log_page(), encoding="utf-8")
