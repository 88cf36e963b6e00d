"""Takes the ids out of what a table's log says of files that are gone.

The log tells of each file the least and the greatest trace id in it, so that readers can skip
files. Of a file that has left the table that is of use to nobody but a reader of an old version,
and it names traces. So the bounds are widened to the least and the greatest text that there is,
which is true of every file. (A bound that is missing is not: delta-rs takes it for one that nothing
meets.)

In the protocol a commit is never written twice. It is here, with the same actions in the same
order: every reader takes the same from it, and all lines but those of such files stay as they are,
to the letter. It is replaced in one step, and so are checkpoints.
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
_LEFT_OVER: Final = re.compile(r"_delta_log/.*(?:#\d+|\.crc|\.tmp)")
_VERSION: Final = re.compile(r"_delta_log/(\d{20})")


def widen_bounds(files: ObjectStore, live: Collection[str], *, version: int) -> int:
    """Widen the bounds of all but the ``live`` files; return how many files of the log changed.

    ``files`` is the store of one table, ``live`` holds the paths of its files as of ``version``;
    later commits are left alone. Raises RetryableError or FatalError if the store does not answer.
    May be run again, and beside workers.
    What a dead writer left half done goes, and so do the sums of other programs over the log
    (``.crc``), which would not fit any more.
    """
    changed = 0
    for path, _ in list(files.walk(LOG_FOLDER)):
        numbered = _VERSION.match(path)
        later = numbered is not None and int(numbered[1]) > version
        if _LEFT_OVER.fullmatch(path):
            files.purge(path)
        elif later or not _rewritten(files, path, live):
            continue
        changed += 1
    return changed


def _rewritten(files: ObjectStore, path: str, live: Collection[str]) -> bool:
    """Write a file of the log again if it has bounds to widen; return whether it had.

    Another may widen others in it at the same time: what one has written the other reads again.
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
    new = {name: _told(name, said, live) for name, said in action.items()}
    return line if new == action else _text(new).encode()


def _told(name: str, said: Any, live: Collection[str]) -> Any:
    """Return what a log says of a file that came or went, with wide bounds if it is gone."""
    if name not in _OF_FILES or said is None or (name == "add" and said["path"] in live):
        return said
    new = dict(said)
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
        after = [_told(name, said, live) for said in before]
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
