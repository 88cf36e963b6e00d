"""The ways: each takes the folder of a lake and does one thing to it behind goldpan's back."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

from lake.table_log import FILE_HASHES_KEY, LEDGER_KEY
from redact.pipeline.audit import chain_hash
from tests.tampering.scene import open_lake

Act = Callable[[Path], None]
WAYS: dict[str, Act] = {}
_SMALL: Mapping[str, Any] = {
    "compression": "zstd",
    "compression_level": 19,
    "use_dictionary": False,
    "write_statistics": False,
    "store_schema": False,
}


def way(name: str) -> Callable[[Act], Act]:
    """Name a way, as the page lists it."""

    def named(act: Act) -> Act:
        assert name not in WAYS
        WAYS[name] = act
        return act

    return named


@dataclass(frozen=True)
class Opened:
    """A table in a folder, without goldpan's code."""

    folder: Path

    def files(self) -> list[Path]:
        """Return the files that it consists of, in order of path."""
        return sorted(self.folder / add["path"] for add in self._live().values())

    def _live(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for path in self.commits():
            for line in map(json.loads, path.read_text().splitlines()):
                if "add" in line:
                    found[line["add"]["path"]] = line["add"]
                elif "remove" in line:
                    found.pop(line["remove"]["path"], None)
        return found

    def commits(self) -> list[Path]:
        """Return the commits of its log, oldest first."""
        return sorted((self.folder / "_delta_log").glob("*.json"))

    def rewrite(self, change: Callable[[pa.Table], pa.Table], number: int = 0) -> Path:
        """Change the rows of a file in place."""
        path = self.files()[number]
        size = path.stat().st_size
        rows = change(pq.read_table(path, partitioning=None))
        pq.write_table(rows, path, **_SMALL)
        _padded(path, size)
        return path

    def edit(self, change: Callable[[dict[str, Any]], None], commit: int = -1) -> None:
        """Change each action of a commit."""
        path = self.commits()[commit]
        text = path.read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            change(line)
        if lines != [json.loads(line) for line in text.splitlines()]:
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def entry(self, change: Callable[[dict[str, Any]], None], commit: int = -1) -> None:
        """Change the ledger entry of a commit."""

        def act(line: dict[str, Any]) -> None:
            if "commitInfo" in line:
                body = json.loads(line["commitInfo"][LEDGER_KEY])
                change(body)
                line["commitInfo"][LEDGER_KEY] = json.dumps(body)

        self.edit(act, commit)


def _padded(path: Path, size: int) -> None:
    """Bring a file to the length that it had, between its last page and its footer."""
    data = path.read_bytes()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    assert len(data) <= size, "whoever tampers keeps the length"
    path.write_bytes(data[:-footer] + b"\0" * (size - len(data)) + data[-footer:])


def table(folder: Path, name: str) -> Opened:
    """Open a table."""
    return Opened(folder / name)


def with_column(rows: pa.Table, name: str, values: list[Any]) -> pa.Table:
    """Return rows with another column."""
    at = rows.schema.get_field_index(name)
    return rows.set_column(at, rows.schema.field(at), pa.array(values, rows.schema.field(at).type))


def one_changed(name: str, value: Any) -> Callable[[pa.Table], pa.Table]:
    """Return what changes one value of the first row."""
    return lambda rows: with_column(rows, name, [value, *rows[name].to_pylist()[1:]])


def without(number: int) -> Callable[[pa.Table], pa.Table]:
    """Return what takes one row out."""

    def act(rows: pa.Table) -> pa.Table:
        at = number % len(rows)
        return pa.concat_tables([rows.slice(0, at), rows.slice(at + 1)])

    return act


def _in_place(name: str, column: str, value: str) -> Act:
    def act(folder: Path) -> None:
        table(folder, name).rewrite(one_changed(column, value))

    return act


for _what, _name, _column in (
    ("an answer", "traces", "response"),
    ("a user", "traces", "user_id"),
    ("a comment", "feedback", "comment"),
    ("a label", "labels", "label"),
    ("a verdict", "reviews", "verdict"),
    ("a judge's failure mode", "judgements", "failure_mode"),
    ("a reason", "quarantine", "reason"),
):
    way(f"{_what} changed in place (`{_name}.{_column}`)")(_in_place(_name, _column, "other"))


@way("a coordinate changed in place (`traces._offset`)")
def _offset(folder: Path) -> None:
    table(folder, "traces").rewrite(one_changed("_offset", 1_000))


@way("a file of `traces` that lost rows inside")
def _lost(folder: Path) -> None:
    table(folder, "traces").rewrite(without(0))


@way("the same, with the row count in the log adjusted")
def _lost_and_counted(folder: Path) -> None:
    opened = table(folder, "traces")
    path = opened.rewrite(without(0), -1)
    _counted(opened, path, lambda many: many - 1)


@way("the same, with the row counts and the ledger adjusted")
def _lost_and_entered(folder: Path) -> None:
    _lost_and_counted(folder)

    def change(body: dict[str, Any]) -> None:
        body["ranges"][0]["stored"] -= 1
        body["ranges"][0]["dropped"] = {"erased": 1}

    table(folder, "traces").entry(change)


@way("an answer changed in place, with the hash in the log adjusted")
def _rehashed(folder: Path) -> None:
    opened = table(folder, "traces")
    path = opened.rewrite(one_changed("response", "other"), -1)
    _hashed_again(opened, path)


@way("an audit row changed in place, with its chain and the hash of the file adjusted")
def _rechained(folder: Path) -> None:
    opened = table(folder, "redactions")

    def change(rows: pa.Table) -> pa.Table:
        changed = rows.to_pylist()
        changed[-1]["characters_scanned"] += 1
        told = {k: v for k, v in changed[-1].items() if k not in {"previous", "chain", "_schema"}}
        told["_ingested_at"] = pa.scalar(told["_ingested_at"]).value
        changed[-1]["chain"] = chain_hash(told, changed[-1]["previous"])
        return pa.Table.from_pylist(changed, schema=rows.schema)

    newest = sorted(opened.files(), key=lambda p: p.stat().st_mtime_ns)[-1]
    path = opened.rewrite(change, opened.files().index(newest))
    _hashed_again(opened, path)


@way("the same, with what the commit says of the chain adjusted too")
def _rechained_and_said(folder: Path) -> None:
    _rechained(folder)
    opened = table(folder, "redactions")
    newest = sorted(opened.files(), key=lambda p: p.stat().st_mtime_ns)[-1]
    last = pq.read_table(newest, partitioning=None)["chain"][-1].as_py()

    def change(line: dict[str, Any]) -> None:
        if "commitInfo" in line:
            [one] = json.loads(line["commitInfo"]["goldpan.chains"])
            one[1] = last
            line["commitInfo"]["goldpan.chains"] = json.dumps([one])

    opened.edit(change)


@way("a file of `traces` emptied of its rows")
def _emptied(folder: Path) -> None:
    table(folder, "traces").rewrite(lambda rows: rows.slice(0, 0))


@way("a broken page")
def _page(folder: Path) -> None:
    path = table(folder, "traces").files()[0]
    data = bytearray(path.read_bytes())
    at = pq.ParquetFile(path).metadata.row_group(0).column(0).data_page_offset
    data[at + 20 : at + 28] = b"\xff" * 8
    path.write_bytes(data)


@way("a broken footer")
def _footer(folder: Path) -> None:
    path = table(folder, "traces").files()[0]
    path.write_bytes(path.read_bytes()[:-8] + b"\0" * 8)


@way("a file of half its length")
def _half(folder: Path) -> None:
    path = table(folder, "labels").files()[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@way("two files exchanged")
def _exchanged(folder: Path) -> None:
    one, other = table(folder, "traces").files()[:2]
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)


for _name in (
    "traces",
    "feedback",
    "quarantine",
    "redactions",
    "labels",
    "reviews",
    "judgements",
    "answer_reviews",
):

    @way(f"a file of `{_name}` gone")
    def _file_gone(folder: Path, name: str = _name) -> None:
        table(folder, name).files()[0].unlink()

    @way(f"the table `{_name}` gone")
    def _gone(folder: Path, name: str = _name) -> None:
        shutil.rmtree(folder / name)

    @way(f"the table `{_name}` gone and made again, empty")
    def _made_again(folder: Path, name: str = _name) -> None:
        shutil.rmtree(folder / name)
        open_lake(folder).init(lost=[name])

    @way(f"the newest commit of `{_name}` taken away")
    def _newest(folder: Path, name: str = _name) -> None:
        table(folder, name).commits()[-1].unlink()


@way("a file moved to another day, in the folder and in the log")
def _moved(folder: Path) -> None:
    opened = table(folder, "traces")
    path = opened.files()[0]
    day = "event_date=2026-10-01"
    (opened.folder / day).mkdir()
    path.rename(opened.folder / day / path.name)
    old = path.relative_to(opened.folder).as_posix()

    def change(line: dict[str, Any]) -> None:
        if line.get("add", {}).get("path") == old:
            line["add"]["path"] = f"{day}/{path.name}"
            line["add"]["partitionValues"]["event_date"] = "2026-10-01"

    for number in range(1, len(opened.commits())):
        opened.edit(change, number)


@way("a file moved to another day, in the log only")
def _another_day(folder: Path) -> None:
    def change(line: dict[str, Any]) -> None:
        if "add" in line:
            line["add"]["partitionValues"]["event_date"] = "2026-10-01"

    table(folder, "traces").edit(change)


for _name in ("traces", "quarantine", "redactions", "labels"):

    @way(f"a position of `{_name}` moved on")
    def _position(folder: Path, name: str = _name) -> None:
        moved: list[int] = []

        def change(line: dict[str, Any]) -> None:
            if line.get("txn", {}).get("appId") == "llm.traces/0":
                line["txn"]["version"] += 5
                moved.append(1)

        opened, number = table(folder, name), -1
        while not moved:
            opened.edit(change, number)
            number -= 1


@way("a commit in the middle taken away, behind a checkpoint")
def _middle(folder: Path) -> None:
    opened = table(folder, "traces")
    DeltaTable(str(opened.folder)).create_checkpoint()
    opened.commits()[1].unlink()


@way("a commit that is no JSON any more")
def _no_json(folder: Path) -> None:
    path = table(folder, "feedback").commits()[-1]
    path.write_text(path.read_text()[:-40])


@way("a commit emptied")
def _emptied_commit(folder: Path) -> None:
    table(folder, "quarantine").commits()[1].write_bytes(b"")


@way("a ledger entry that cannot be read")
def _entry(folder: Path) -> None:
    def change(line: dict[str, Any]) -> None:
        if "commitInfo" in line:
            line["commitInfo"][LEDGER_KEY] = "{}"

    table(folder, "traces").edit(change)


@way("the hashes of a commit taken out of the log")
def _no_hashes(folder: Path) -> None:
    def change(line: dict[str, Any]) -> None:
        line.get("commitInfo", {}).pop(FILE_HASHES_KEY, None)

    table(folder, "traces").edit(change)


@way("a hash of a file taken out of what its commit says")
def _one_hash(folder: Path) -> None:
    def change(line: dict[str, Any]) -> None:
        if FILE_HASHES_KEY in line.get("commitInfo", {}):
            said = json.loads(line["commitInfo"][FILE_HASHES_KEY])
            said.pop(next(iter(said)))
            line["commitInfo"][FILE_HASHES_KEY] = json.dumps(said)

    table(folder, "traces").edit(change)


@way("a checkpoint that cannot be read")
def _checkpoint(folder: Path) -> None:
    opened = table(folder, "traces")
    DeltaTable(str(opened.folder)).create_checkpoint()
    [path] = (opened.folder / "_delta_log").glob("*.checkpoint.parquet")
    path.write_bytes(path.read_bytes()[:100])


@way("a dropped record more, and a stored one less, in the ledger")
def _dropped(folder: Path) -> None:
    def change(body: dict[str, Any]) -> None:
        body["ranges"][0]["stored"] -= 1
        body["ranges"][0]["dropped"] = {"erased": 1}

    table(folder, "traces").entry(change)


@way("a record less set aside in the ledger")
def _set_aside(folder: Path) -> None:
    def change(body: dict[str, Any]) -> None:
        body["ranges"][0]["quarantined"] -= 1
        body["ranges"][0]["stored"] += 1

    table(folder, "traces").entry(change)


for _name in ("traces", "labels", "redactions"):

    @way(f"rows of `{_name}` deleted by another program")
    def _deleted(folder: Path, name: str = _name) -> None:
        DeltaTable(str(folder / name)).delete("_offset = 3")

    @way(f"rows of `{_name}` added by another program")
    def _added(folder: Path, name: str = _name) -> None:
        rows = DeltaTable(str(folder / name)).to_pyarrow_table()
        write_deltalake(str(folder / name), rows.slice(0, 1), mode="append")


@way("a row put in the place of another by another program")
def _replaced(folder: Path) -> None:
    rows = DeltaTable(str(folder / "traces")).to_pyarrow_table()
    one = rows.filter(pc.equal(rows["_offset"], 3))
    DeltaTable(str(folder / "traces")).delete("_offset = 4")
    write_deltalake(str(folder / "traces"), one, mode="append")


for _what, _act in (
    ("first", without(0)),
    ("middle", without(1)),
    ("last", without(-1)),
):

    @way(f"the {_what} audit row of a flush taken out of its file")
    def _audit_row(folder: Path, act: Callable[[pa.Table], pa.Table] = _act) -> None:
        table(folder, "redactions").rewrite(act)


@way("an audit row changed in place")
def _audit_changed(folder: Path) -> None:
    table(folder, "redactions").rewrite(one_changed("characters_scanned", 1))


@way("an audit row blanked without an erasure")
def _blanked(folder: Path) -> None:
    def change(rows: pa.Table) -> pa.Table:
        for name, value in (("fingerprint", None), ("counts", []), ("positions", [])):
            rows = one_changed(name, value)(rows)
        return rows

    table(folder, "redactions").rewrite(change)


@way("all audit rows of a flush gone, in the file and in the log")
def _audit_gone(folder: Path) -> None:
    opened = table(folder, "redactions")
    opened.files()[0].unlink()
    path = opened.commits()[1]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(one) + "\n" for one in lines if "add" not in one))


def _counted(opened: Opened, path: Path, change: Callable[[int], int]) -> None:
    for line, _ in _adds(opened, path):
        stats = json.loads(line["stats"])
        stats["numRecords"] = change(stats["numRecords"])
        line["stats"] = json.dumps(stats)
        line["size"] = path.stat().st_size


def _hashed_again(opened: Opened, path: Path) -> None:
    for line, info in _adds(opened, path):
        said = json.loads(info[FILE_HASHES_KEY])
        said[line["path"]] = hashlib.sha256(path.read_bytes()).hexdigest()
        info[FILE_HASHES_KEY] = json.dumps(said)
        line["size"] = path.stat().st_size


def _adds(opened: Opened, path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield what the log says of a file, and of its commit; what is changed in it is written."""
    name = path.relative_to(opened.folder).as_posix()
    for commit in opened.commits():
        lines = [json.loads(line) for line in commit.read_text().splitlines()]
        mine = [line["add"] for line in lines if line.get("add", {}).get("path") == name]
        if mine:
            [info] = [line["commitInfo"] for line in lines if "commitInfo" in line]
            yield mine[0], info
            commit.write_text("".join(json.dumps(line) + "\n" for line in lines))
