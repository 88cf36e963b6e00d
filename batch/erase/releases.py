"""The releases of a lake, as an erasure asks for them and has them changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from batch.erase.scanner import ReportProgress
from batch.erase.scope import ErasureScope
from batch.release.erasure import criteria, erase
from batch.release.erasure.rewrite_version import ErasureOrder
from batch.release.publish.repository import ReleaseRepository
from lake.tombstones import Tombstone
from redact.crypto.signing import Signer


@dataclass(frozen=True, slots=True)
class ReleaseEraser:
    """The releases on a shelf."""

    shelf: ReleaseRepository
    signer: Signer
    progress: ReportProgress

    def find(self, meant: ErasureScope, events: frozenset[str]) -> list[dict[str, Any]]:
        """Return the versions that hold rows that go; ``events`` are label events that went."""
        return [
            asdict(one)
            for one in erase.find_affected_versions(self.shelf, self._wanted(meant, events))
        ]

    def erase(
        self,
        meant: ErasureScope,
        events: frozenset[str],
        tombstone: Tombstone,
        tables: Mapping[str, int],
    ) -> list[dict[str, Any]]:
        """Take them out; return what this erasure took, in all its calls."""
        order = ErasureOrder(tombstone.number, tombstone.until_us, self.signer, tables)
        done = erase.erase_from_releases(
            self.shelf,
            self._wanted(meant, events),
            order,
            lambda what: self.progress(what, 0, 0),
        )
        return [asdict(one) for one in done]

    def _wanted(self, meant: ErasureScope, events: frozenset[str]) -> criteria.ErasureCriteria:
        # Ids that are gone from the tables are known by the marks in the tombstones only.
        marks = meant.marks
        named = marks.traces_among(erase.list_trace_ids(self.shelf)) if marks.traces else ()
        gone = marks.events_among(erase.list_label_events(self.shelf)) if marks.events else ()
        return criteria.ErasureCriteria(
            trace_ids=meant.traces,
            touched=meant.touched | (frozenset(named) - meant.traces),
            user_ids=meant.persons.users,
            label_events=events | frozenset(gone),
            marks=meant.persons.tokens,
            mails=meant.persons.mails,
            search=meant.texts.stand_in,
        )
