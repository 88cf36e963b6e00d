"""`lake verify` on lakes that are old, damaged, half out of reach, or changing as it reads."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from lake.head import parse_head
from lake.live_files import list_live_files
from lake.objects import FolderStore
from lake.table_layouts import TABLE_LAYOUTS
from lake.table_log import AUDIT_CHAINS_KEY, CROSS_REFERENCES_KEY, FILE_HASHES_KEY
from lake.tables import Lake
from lake.verify import VerifyReport, verify_lake
from lake.verify_audit import AuditRules
from lake.verify_files import DeepOptions
from redact.pipeline.audit import chain_hash
from schemas.errors import FatalError, RetryableError, UsageError
from tests.batch.retention.kit import carried_out
from tests.lake.kit import patience
from tests.tampering.measure import HOW, proved
from tests.tampering.scene import FEEDBACK, TRACES, Scene, make, make_anew, open_lake
from tests.tampering.ways import one_changed, table


@pytest.fixture
def proven_folder(tmp_path: Path) -> Path:
    """A lake in use, of this version."""
    make(tmp_path / "lake")
    return tmp_path / "lake"


def forget(folder: Path, *keys: str) -> None:
    """Take what commits say of hashes, chains and other tables out of the logs."""

    def change(line: dict[str, Any]) -> None:
        for key in keys or (FILE_HASHES_KEY, AUDIT_CHAINS_KEY, CROSS_REFERENCES_KEY):
            line.get("commitInfo", {}).pop(key, None)

    for name in TABLE_LAYOUTS:
        opened = table(folder, name)
        for number in range(len(opened.commits())):
            opened.edit(change, number)


def test_all_is_hashed_and_the_versions_are_named(proven_folder: Path) -> None:
    """Every file of every table was held against its hash, as of versions that are named."""
    report = proved(proven_folder, deep=True)
    assert report.problems == []
    assert report.files is not None
    files = sum(len(table(proven_folder, name).files()) for name in TABLE_LAYOUTS)
    assert (report.files.hashed, report.files.unproved) == (files, [])
    newest = {name: DeltaTable(str(proven_folder / name)).version() for name in TABLE_LAYOUTS}
    assert report.to_json()["versions"] == newest


def test_a_lake_of_before_verifies_and_says_what_is_unproved(proven_folder: Path) -> None:
    """Its files are read and counted; a new flush is proved beside them."""
    forget(proven_folder)
    report = proved(proven_folder, deep=True)
    assert report.problems == []
    assert report.files is not None
    files = sum(len(table(proven_folder, name).files()) for name in TABLE_LAYOUTS)
    assert (report.files.hashed, len(report.files.unproved)) == (0, files)
    assert all((proven_folder / path).exists() for path in report.files.unproved)


@pytest.mark.parametrize("number", [0, 1, -1])
def test_an_audit_row_missing_from_a_lake_of_before(proven_folder: Path, number: int) -> None:
    """Without what commits say of chains, a row that is gone from the middle or front shows."""
    forget(proven_folder)
    opened = table(proven_folder, "redactions")

    def change(rows: Any) -> Any:
        at = number % len(rows)
        return rows.filter([n != at for n in range(len(rows))])

    opened.rewrite(change)
    problems = proved(proven_folder, deep=True).problems
    assert any("rows are missing" in one or "rows, but the log says" in one for one in problems)


def test_unproved_files_still_show_damage(proven_folder: Path) -> None:
    """A page that cannot be read is found in a column that no law asks for."""
    forget(proven_folder)
    path = table(proven_folder, "traces").files()[0]
    data = bytearray(path.read_bytes())
    footer = int.from_bytes(data[-8:-4], "little") + 8
    middle = (len(data) - footer) // 2
    data[4:middle] = b"\xff" * (middle - 4)
    path.write_bytes(data)
    assert any(
        "cannot be read as Parquet" in one for one in proved(proven_folder, deep=True).problems
    )


def test_damage_is_found_at_once_and_all_of_it(proven_folder: Path) -> None:
    """A broken footer, a missing file and a missing table are one report, and nobody waits."""
    path = table(proven_folder, "traces").files()[0]
    path.write_bytes(path.read_bytes()[:-8] + b"\0" * 8)
    table(proven_folder, "feedback").files()[0].unlink()
    for file in sorted((proven_folder / "reviews").rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    waited: list[float] = []

    def sleep(seconds: float) -> bool:
        waited.append(seconds)
        return False

    retry = patience(sleep=sleep)
    report = verify_lake(open_lake(proven_folder), deep=True, options=HOW, retry=retry)
    assert report.unfinished is None
    assert waited == []
    text = "\n".join(report.problems)
    for said in ("cannot be read as Parquet", "is missing: restore it", "table reviews is missing"):
        assert said in text


class Failing(FolderStore):
    """A store that gives no answer from some path on."""

    refused: Callable[[str], bool] = staticmethod(lambda _path: False)

    def find(self, path: str) -> bytes | None:
        """Return the content, or give no answer."""
        if self.refused(path):
            raise RetryableError("the store does not answer")
        return super().find(path)


def failing(folder: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[[str], bool]) -> Lake:
    """Open a lake in a store that refuses some paths."""
    monkeypatch.setattr("lake.location.FolderStore", Failing)
    monkeypatch.setattr(Failing, "refused", staticmethod(refused))
    return open_lake(folder)


def test_a_store_that_stops_answering_keeps_what_was_found(
    proven_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is unfinished, has the damage of before, and says where to go on."""
    table(proven_folder, "feedback").files()[0].unlink()
    last = table(proven_folder, "labels").files()[-1].name
    lake = failing(proven_folder, monkeypatch, lambda path: path.endswith(last))
    report = verify_lake(lake, deep=True, options=HOW, retry=patience())
    assert any("is missing" in one for one in report.problems)
    assert report.unfinished is not None
    assert "does not answer" in report.unfinished
    assert "--deep --since 20" in report.unfinished
    assert not report.ok


def test_a_log_out_of_reach_is_no_damage(
    proven_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be read for now is not said to be broken, with patience or without."""

    def refused(path: str) -> bool:
        return "_delta_log/00000000000000000001" in path

    with pytest.raises(FatalError, match=r"still failing .* does not answer"):
        verify_lake(failing(proven_folder, monkeypatch, refused), retry=patience())
    with pytest.raises(RetryableError):
        verify_lake(failing(proven_folder, monkeypatch, refused))


def test_part_of_the_files(proven_folder: Path) -> None:
    """By time, or by chance: others are not hashed, but their rows are read all the same."""
    assert _hashed(proven_folder, DeepOptions(sample=3, seed=5)) == (3, 15)
    assert _hashed(proven_folder, DeepOptions(since_ms=2**52)) == (0, 18)
    times = sorted(
        json.loads(path.read_text().splitlines()[0])["commitInfo"]["timestamp"]
        for name in TABLE_LAYOUTS
        for path in table(proven_folder, name).commits()[1:]
    )
    hashed, _ = _hashed(proven_folder, DeepOptions(since_ms=times[-1]))
    assert 0 < hashed < 18
    table(proven_folder, "feedback").rewrite(one_changed("_offset", 3))
    recent = DeepOptions(since_ms=2**52)
    problems = verify_lake(open_lake(proven_folder), deep=True, options=recent).problems
    assert any("more than once" in one for one in problems)


def _hashed(folder: Path, how: DeepOptions) -> tuple[int, int]:
    report = verify_lake(open_lake(folder), deep=True, options=how)
    assert report.problems == []
    assert report.files is not None
    return report.files.hashed, report.files.passed


def test_a_log_without_its_beginning(proven_folder: Path) -> None:
    """It says from where on ranges are proved, and calls nothing wrong that it cannot know."""
    for name in TABLE_LAYOUTS:
        DeltaTable(str(proven_folder / name)).create_checkpoint()
    for name in ("traces", "quarantine", "redactions"):
        for path in table(proven_folder, name).commits()[:2]:
            path.unlink()
    for deep in (False, True):
        report = proved(proven_folder, deep=deep)
        assert all("begins at version 2" in one for one in report.problems), report.problems
        assert len(report.problems) == 3
    [traces] = [p for p in report.partitions if p.topic == TRACES.topic]
    assert (traces.start, traces.end) == (6, 14)


def test_a_later_state_continues_a_head(proven_folder: Path, tmp_path: Path) -> None:
    """Through flushes and a table's own upkeep; a head is a document that is read back."""
    head = proved(proven_folder).head
    assert head is not None
    Scene(proven_folder, {TRACES: 14}).flush("traces", TRACES, 16)
    DeltaTable(str(proven_folder / "traces")).create_checkpoint()
    again = parse_head(json.loads(json.dumps(head.to_json())), origin="here")
    assert again == head
    assert proved(proven_folder, since=again).problems == []
    later = proved(proven_folder).head
    make_anew(tmp_path / "other")
    problems = proved(tmp_path / "other", since=later).problems
    assert any("differs from the head" in one for one in problems)
    assert any("commits were removed" in one for one in problems)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"format": 1, "tables": {}},
        {"format": 2, "tables": {}},
        {"format": 1, "tables": {"traces": {"version": 1, "begins": 0, "sha256": ""}}},
        {"format": 1, "tables": {"traces": {"version": 1, "begins": 0, "sha256": "ab"}}},
        {"format": 1, "tables": {"traces": {"version": True, "begins": 0, "sha256": "a" * 64}}},
        {"format": 1, "tables": {"traces": {"version": 1, "begins": 2, "sha256": "a" * 64}}},
    ],
)
def test_what_is_no_head(body: Any) -> None:
    """An empty or shortened head would fit any lake."""
    with pytest.raises(UsageError):
        parse_head(body, origin="here")


@pytest.mark.parametrize("name", TABLE_LAYOUTS)
def test_a_table_that_is_gone_is_not_made_in_passing(proven_folder: Path, name: str) -> None:
    """Not by a worker and not by `lake init`; only whoever gives it up gets it empty."""
    (proven_folder / name).rename(proven_folder.parent / "aside")
    with pytest.raises(FatalError, match=rf"no table {name} .*--lost {name}"):
        open_lake(proven_folder).init()
    assert not (proven_folder / name).exists()
    assert open_lake(proven_folder).init(lost=[name]) == [name]
    assert open_lake(proven_folder).init() == []


def test_a_lake_that_nothing_was_committed_to_is_completed(tmp_path: Path) -> None:
    """Two may make one at once, or one may have died over it."""
    lake = open_lake(tmp_path)
    lake.init()
    (tmp_path / "labels").rename(tmp_path / "aside")
    assert open_lake(tmp_path).init() == ["labels"]


def blanked(folder: Path) -> None:
    """Blank the first audit row of the feedback, and hide it from the hashes."""

    def change(rows: Any) -> Any:
        for name, value in (("fingerprint", None), ("counts", []), ("positions", [])):
            rows = one_changed(name, value)(rows)
        return rows

    table(folder, "redactions").rewrite(change)
    forget(folder, FILE_HASHES_KEY)


@pytest.mark.parametrize(
    ("offsets", "right"), [({0}, True), ({0, 1}, True), ({1}, False), (set(), False)]
)
def test_a_row_that_says_nothing_needs_a_receipt(
    proven_folder: Path, offsets: set[int], *, right: bool
) -> None:
    """That lists exactly it."""
    blanked(proven_folder)
    rules = AuditRules(chain_hash, lambda: {FEEDBACK: frozenset(offsets)})
    problems = verify_lake(
        open_lake(proven_folder), deep=True, options=DeepOptions(audit=rules)
    ).problems
    assert (problems == []) is right
    assert right or "no receipt accounts for them" in problems[0]


def test_a_file_that_left_its_table_meanwhile_is_no_damage(
    proven_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compaction and an erasure's purge take it away between the cut and the look: another cut."""
    lake = open_lake(proven_folder)
    lake.table("feedback").refresh()
    old = list_live_files(lake.table("feedback"))
    done: list[int] = []

    def rewritten(path: str) -> bool:
        if not done and any(path == file.path for file in old):
            done.append(1)
            DeltaTable(str(proven_folder / "feedback")).optimize.compact()
            for file in old:
                (proven_folder / "feedback" / file.path).unlink()
        return False

    report = verify_lake(
        failing(proven_folder, monkeypatch, rewritten), deep=True, options=HOW, retry=patience()
    )
    assert done
    assert report.problems == []


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Path]:
    """A lake that is written to all the time, with a compaction now and then."""
    folder, stop = tmp_path / "lake", threading.Event()
    scene = Scene(folder)
    scene.flush("traces", TRACES, 3, [1])
    failed: list[BaseException] = []

    def work() -> None:
        end = 3
        try:
            while not stop.is_set():
                end += 3
                scene.flush("traces", TRACES, end, [end - 2])
                scene.flush("feedback", FEEDBACK, end)
                scene.add("labels", TRACES, end, label_event_id="event")
                if end % 30 == 0:
                    DeltaTable(str(folder / "redactions")).optimize.compact()
        except BaseException as error:  # noqa: BLE001 - told by the test's thread
            failed.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    yield folder
    stop.set()
    worker.join()
    assert failed == []


def test_a_proof_beside_writers_is_of_one_cut(busy: Path) -> None:
    """However the tables move on as they are read, nothing is wrong where nothing is."""
    reports: list[VerifyReport] = []
    for number in range(7):
        reports.append(proved(busy, deep=number % 3 == 0))
        assert reports[-1].problems == []
    ends = [max(p.end for p in one.partitions) for one in reports]
    assert ends == sorted(ends)
    assert ends[0] < ends[-1]
    heads = [one.head for one in reports if one.head]
    for head in heads[:3]:
        assert proved(busy, since=head).problems == []


PLAN = "tables:\n  redactions: {rows: 19}\n"


def _aged(tmp_path: Path) -> Path:
    """A lake whose audit has chains of one day, of the next, and one that goes over midnight."""
    scene = Scene(tmp_path / "lake")
    scene.flush("traces", TRACES, 4, days=[0])
    scene.flush("traces", TRACES, 12, days=[0, 1])
    scene.flush("traces", TRACES, 15, days=[1])
    return tmp_path / "lake"


@pytest.mark.parametrize("before", [True, False], ids=["of before", "of this version"])
def test_audit_rows_that_have_expired(tmp_path: Path, *, before: bool) -> None:
    """Retention takes the first of the days, and a chain may begin in its middle then."""
    folder = _aged(tmp_path)
    if before:
        forget(folder)
    assert carried_out(open_lake(folder), PLAN, today=date(2026, 11, 21))
    assert proved(folder, deep=True).problems == []
    table(folder, "redactions").rewrite(lambda rows: rows.slice(1))
    forget(folder, FILE_HASHES_KEY)
    problems = proved(folder, deep=True).problems
    assert any("log says" in one for one in problems)
    assert before or any("first or the last rows of chains" in one for one in problems)


def test_audit_rows_that_retention_has_not_taken(tmp_path: Path) -> None:
    """A day that is gone without its commit is missing rows."""
    folder = _aged(tmp_path)
    DeltaTable(str(folder / "redactions")).delete("event_date = '2026-11-01'")
    problems = proved(folder, deep=True).problems
    assert any("rows are missing before 1 others" in one for one in problems)
    assert any("its commits account for" in one for one in problems)
