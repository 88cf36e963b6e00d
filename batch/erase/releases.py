"""Erases persons from the releases of a lake."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from batch.erase.scope import ErasureScope
from batch.progress import ReportProgress
from batch.release.erasure import criteria, erase
from batch.release.erasure.rewrite_version import ErasureOrder
from batch.release.publish.repository import ReleaseRepository
from lake.tombstones import Tombstone
from redact.crypto.signing import Signer


@dataclass(frozen=True, slots=True)
class ReleaseEraser:
    """Finds and removes rows of releases; see `batch.erase.erasure.ErasableReleases`."""

    repository: ReleaseRepository
    signer: Signer
    progress: ReportProgress

    def find(self, scope: ErasureScope, events: frozenset[str]) -> list[dict[str, Any]]:
        """Return the versions with rows in scope; ``events`` are removed label events."""
        versions = erase.find_affected_versions(self.repository, self._criteria(scope, events))
        return [asdict(version) for version in versions]

    def erase(
        self,
        scope: ErasureScope,
        events: frozenset[str],
        tombstone: Tombstone,
        tables: Mapping[str, int],
    ) -> list[dict[str, Any]]:
        """Remove the rows; return all that this erasure removed, in this call and earlier ones."""
        order = ErasureOrder(tombstone.number, tombstone.until_us, self.signer, tables)
        erased = erase.erase_from_releases(
            self.repository,
            self._criteria(scope, events),
            order,
            lambda what: self.progress(what, 0, 0),
        )
        return [asdict(version) for version in erased]

    def _criteria(self, scope: ErasureScope, events: frozenset[str]) -> criteria.ErasureCriteria:
        # Ids that are no longer in the tables are known by the marks in tombstones only.
        marks, repository = scope.marks, self.repository
        traces = marks.match_traces(erase.list_trace_ids(repository)) if marks.traces else ()
        removed = marks.match_events(erase.list_label_events(repository)) if marks.events else ()
        return criteria.ErasureCriteria(
            trace_ids=scope.traces,
            touched=scope.mentioning_traces | (frozenset(traces) - scope.traces),
            user_ids=scope.persons.user_ids,
            label_events=events | frozenset(removed),
            marks=scope.persons.tokens,
            mails=scope.persons.emails,
            search=scope.text_search.matches,
        )
