"""The releases of a lake, as an erasure asks for them and has them changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from batch.erase.look import Progress
from batch.erase.wanted import Wanted
from batch.release import erase, wanted
from batch.release.settle import Order
from batch.release.shelf import Shelf
from lake.erasures import Tombstone
from redact.signing import Signer


@dataclass(frozen=True, slots=True)
class OnShelf:
    """The releases on a shelf."""

    shelf: Shelf
    signer: Signer
    progress: Progress

    def find(self, meant: Wanted, events: frozenset[str]) -> list[dict[str, Any]]:
        """Return the versions that hold rows that go; ``events`` are label events that went."""
        return [asdict(one) for one in erase.find(self.shelf, self._wanted(meant, events))]

    def erase(
        self, meant: Wanted, events: frozenset[str], tombstone: Tombstone, tables: Mapping[str, int]
    ) -> list[dict[str, Any]]:
        """Take them out; return what this erasure took, in all its calls."""
        order = Order(tombstone.number, tombstone.until_us, self.signer, tables)
        done = erase.erase(
            self.shelf,
            self._wanted(meant, events),
            order,
            lambda what: self.progress(what, 0, 0),
        )
        return [asdict(one) for one in done]

    def _wanted(self, meant: Wanted, events: frozenset[str]) -> wanted.Wanted:
        # Ids that are gone from the tables are known by the marks in the tombstones only.
        marks = meant.marks
        named = marks.traces_among(erase.trace_ids(self.shelf)) if marks.traces else ()
        gone = marks.events_among(erase.label_events(self.shelf)) if marks.events else ()
        return wanted.Wanted(
            trace_ids=meant.traces,
            touched=meant.touched | (frozenset(named) - meant.traces),
            user_ids=meant.persons.users,
            label_events=events | frozenset(gone),
            marks=meant.persons.tokens,
            mails=meant.persons.mails,
            search=meant.texts.stand_in,
        )
