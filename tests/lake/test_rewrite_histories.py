"""Whatever processes do to a table in whatever order: each row is there once, or taken out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.compute as pc
from deltalake.exceptions import CommitFailedError
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.ledger import EntryKind, LedgerEntry
from lake.live_files import concat_rows, list_live_files, read_file_rows, rewrite_rows
from lake.rewrite import replace_files
from lake.table_commit import TableCommit
from lake.tables import Table
from schemas.errors import FencedError
from tests.lake.kit import SOURCE, append, commit_context, make_lake, offsets, open_lake, patience
from tests.lake.test_commit import Meddled

ENTRY = LedgerEntry(EntryKind.COMPACT, [])


@dataclass(frozen=True)
class Step:
    """Something that is done, and what happens around its commit.

    ``between`` is done by another process before the commit; ``fault`` loses the request or the
    reply.
    """

    what: str
    number: int
    fault: str
    between: "Step | None" = None


def steps(depth: int) -> st.SearchStrategy[Step]:
    """Return steps within which there are others, so deep."""
    inner = st.none() if depth == 0 else st.one_of(st.none(), steps(depth - 1))
    return st.builds(
        Step,
        st.sampled_from(["append", "compact", "take"]),
        st.integers(0, 11),
        st.sampled_from(["", "", "before", "after"]),
        inner,
    )


@dataclass
class World:
    """A handle on one table for each depth of steps, and the offsets that must be there."""

    tables: list[Table]
    expected: set[int] = field(default_factory=set)
    tokens: "count[int]" = field(default_factory=lambda: count(1))

    def do(self, step: Step, who: int) -> None:
        """Take a step; who finds that another was faster has changed nothing."""
        table = self.tables[who]
        table.refresh()
        real = table.handle
        table.handle = Meddled(real, **self._hooks(step, who))  # type: ignore[assignment]
        try:
            {"append": self._append, "compact": self._compact, "take": self._take}[step.what](
                table, step.number
            )
        except FencedError:
            pass
        finally:
            table.handle = real

    def _hooks(self, step: Step, who: int) -> dict[str, Callable[[], None]]:
        def before() -> None:
            if step.between is not None:
                self.do(step.between, who + 1)
            if step.fault == "before":
                raise OSError("the request is lost")

        def after() -> None:
            if step.fault == "after":
                raise CommitFailedError("the reply is lost")

        return {"before": before, "after": after}

    def _append(self, table: Table, number: int) -> None:
        position = table.positions([SOURCE])[SOURCE]
        end = (position or 0) + 1 + number % 3
        append(table, position, end, token=next(self.tokens))
        self.expected |= set(range(position or 0, end))

    def _compact(self, table: Table, number: int) -> None:
        old = list_live_files(table)[: 2 + number]
        if old:
            rows = concat_rows([read_file_rows(table, file) for file in old])
            new = rewrite_rows(table, rows, instead_of=old, retry=patience())
            self._replace(
                table,
                TableCommit(
                    entry=ENTRY, token=next(self.tokens), removes=old, adds=[new], same_rows=True
                ),
            )

    def _take(self, table: Table, offset: int) -> None:
        for file in list_live_files(table):
            rows = read_file_rows(table, file)
            left = rows.filter(pc.not_equal(rows.rows["_offset"], offset))
            if len(left) < len(rows):
                new = [rewrite_rows(table, left, instead_of=[file], retry=patience())]
                entry, token = LedgerEntry(EntryKind.REDRIVE, []), next(self.tokens)
                self._replace(
                    table,
                    TableCommit(
                        entry=entry, token=token, removes=[file], adds=new if len(left) else []
                    ),
                )
                self.expected.discard(offset)
                return

    def _replace(self, table: Table, wanted: TableCommit) -> None:
        replace_files(table, wanted, commit_context())


@settings(max_examples=25)
@given(st.lists(steps(2), min_size=2, max_size=7))
def test_no_row_is_lost_doubled_or_brought_back(history: list[Step]) -> None:
    """Appends, compactions and erasures within one another, over a network that loses things."""
    with TemporaryDirectory() as folder:
        make_lake(Path(folder))
        world = World([open_lake(Path(folder)).table("feedback") for _ in range(3)])
        world.do(Step("append", 2, ""), 0)
        for step in history:
            world.do(step, 0)
        assert offsets(world.tables[0]) == sorted(world.expected)
