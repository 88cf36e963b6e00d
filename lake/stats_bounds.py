"""Removes trace ids of removed files from a table's log, by widening their statistics.

The log holds the least and the greatest trace id of each file, so that readers can skip files. For
a file that has left the table only a reader of an old version needs them, and they name traces. So
the bounds are widened to the least and the greatest text, which hold for every file. (Dropping a
bound is not an option: delta-rs then treats the file as matching nothing.)

In the protocol a commit is never rewritten. Here it is, with the same actions in the same order:
every reader gets the same result, and all lines but those of such files stay the same to the byte.
A commit is replaced in one step, and so is a checkpoint.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from lake.objects import ObjectStore

WIDENED_COLUMN: Final = "trace_id"
LEAST, GREATEST = "", "\U0010ffff"
LOG_FOLDER: Final = "_delta_log"
_OF_FILES: Final = frozenset({"add", "remove"})
_JSON: Final = re.compile(r"_delta_log/\d{20}(?:\.\d{20}\.compacted|\.checkpoint\.[^/]+)?\.json")
_PARQUET: Final = re.compile(r"_delta_log/(?:_sidecars/)?[^/#]+\.parquet")
_LEFTOVER: Final = re.compile(r"_delta_log/.*(?:#\d+|\.crc|\.tmp)")
_VERSION: Final = re.compile(r"_delta_log/(\d{20})")


def widen_bounds(files: ObjectStore, live: Collection[str], *, version: int) -> int:
    """Widen the bounds of all but the ``live`` files; return how many files of the log changed.

    ``files`` is the store of one table, and ``live`` the paths of its files as of ``version``;
    later commits are not touched. May be repeated, and may run beside workers.

    Leftovers of dead writers are removed, and so are checksums of other programs over the log
    (``.crc``), which would no longer match. Raises RetryableError or FatalError if the store cannot
    be used.
    """
    changed = 0
    for path, _ in list(files.walk(LOG_FOLDER)):
        numbered = _VERSION.match(path)
        later = numbered is not None and int(numbered[1]) > version
        if _LEFTOVER.fullmatch(path):
            files.purge(path)
        elif later or not _rewrite(files, path, live):
            continue
        changed += 1
    return changed


def _rewrite(files: ObjectStore, path: str, live: Collection[str]) -> bool:
    """Rewrite a file of the log if it has bounds to widen; return whether it had.

    If another program rewrites it at the same time, it is read again.
    """
    act = _json if _JSON.fullmatch(path) else _checkpoint if _PARQUET.fullmatch(path) else None
    while act is not None and (data := files.find(path)) is not None:
        new = act(data, live)
        if new == data:
            return False
        if files.swap(path, data, new):
            return True
    return False


def _json(text: bytes, live: Collection[str]) -> bytes:
    lines = text.split(b"\n")
    return b"\n".join(_line(line, live) if b'"stats' in line else line for line in lines)


def _line(line: bytes, live: Collection[str]) -> bytes:
    action: Mapping[str, Any] = json.loads(line)
    new = {name: _widen_action(name, body, live) for name, body in action.items()}
    return line if new == action else _text(new).encode()


def _widen_action(name: str, body: Any, live: Collection[str]) -> Any:
    """Return an action about a file, with wide bounds if the file has left the table."""
    if name not in _OF_FILES or body is None or (name == "add" and body["path"] in live):
        return body
    new = dict(body)
    if new.get("stats"):
        new["stats"] = _widened(new["stats"])
    if new.get("stats_parsed"):
        new["stats_parsed"] = _wide(new["stats_parsed"])
    return new


def _widened(text: str) -> str:
    """Return statistics, as JSON, with wide bounds; the same text if they are wide already."""
    before = json.loads(text)
    after = _wide(before)
    if after == before:
        return text
    return _text(after)


def _wide(stats: Mapping[str, Any]) -> dict[str, Any]:
    wide = dict(stats)
    for name, bound in (("minValues", LEAST), ("maxValues", GREATEST)):
        if (stats.get(name) or {}).get(WIDENED_COLUMN) is not None:
            wide[name] = {**stats[name], WIDENED_COLUMN: bound}
    return wide


def _checkpoint(data: bytes, live: Collection[str]) -> bytes:
    """Return a checkpoint with wide bounds; the same bytes if there is nothing to widen."""
    table = pq.read_table(pa.BufferReader(data))
    changed = False
    for name in _OF_FILES & set(table.column_names):
        before = table.column(name).to_pylist()
        after = [_widen_action(name, body, live) for body in before]
        if after != before:
            at = table.schema.get_field_index(name)
            field = table.schema.field(at)
            table = table.set_column(at, field, pa.chunked_array([pa.array(after, field.type)]))
            changed = True
    return _encoded(table) if changed else data


def _encoded(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_statistics=False)
    return bytes(sink.getvalue())


def _text(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
