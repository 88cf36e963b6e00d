"""Copies of tombstones and receipts outside the lake; refuses a lake that is older than them.

A lake that was restored from a backup knows nothing of later erasures. If a second place is set
(`LakeSettings.erasures_copy`), each erasure stores its tombstones and its receipt there too, and no
table of the lake is opened while

- a tombstone of the copies is not in the lake, or differs there, or
- a receipt of the copies names an erasure that no receipt of the lake names.

The second condition holds until the rows are removed: the receipt is what an erasure, or one that
is applied again (`batch.erase.reapply`), writes last. The check values of destroyed keys
(`lake.key_checks`) are stored beside the tombstones in both places.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lake.config import LakeSettings
from lake.key_checks import DESTROYED_PREFIX
from lake.location import LakeLocation
from lake.objects import ObjectStore
from schemas.errors import FatalError

ERASURES_FOLDER: Final = "erasures"
"""The folder of the lake that holds tombstones and receipts."""
_BEGUN: Final = "copies.json"
_NOTE: Final = b'{"format": 1, "holds": "tombstones and receipts of a lake of goldpan"}\n'
RECEIPT_SUFFIX: Final = ".receipt.json"
RECEIPT_PATTERN: Final = re.compile(rf"([1-9][0-9]{{0,8}}){re.escape(RECEIPT_SUFFIX)}")
"""The name of a receipt; its group is the number of the erasure (`receipt_name`)."""
TOMBSTONE_PATTERN: Final = re.compile(r"([1-9][0-9]{0,8})\.json")
"""The name of a tombstone; its group is its number."""


@dataclass(frozen=True, slots=True)
class ErasureCopies:
    """The two places of tombstones and receipts: ``lake``, and ``copy`` outside of it."""

    lake: ObjectStore
    copy: ObjectStore

    def begin(self) -> None:
        """Mark the second place as one, if it is not marked yet."""
        self.copy.put_new(_BEGUN, _NOTE)

    def refuse_absent(self) -> None:
        """Raise FatalError if the second place was never marked: it may be empty by mistake."""
        if self.copy.find(_BEGUN) is None:
            raise FatalError(
                "GOLDPAN_LAKE__ERASURES_COPY is empty, so it is not known whether this lake is "
                "older than its erasures: mount it, or correct the address. If it is new, "
                "run `goldpan lake init`"
            )

    def keep(self) -> None:
        """Copy what the lake has and the second place lacks, tombstones first.

        Raises FatalError if the second place has another content under the same name.
        """
        self._copy_destroyed(self.lake, self.copy)
        paths = [path for path in _paths(self.lake) if _number(path)]
        for path in sorted(paths, key=lambda path: bool(RECEIPT_PATTERN.fullmatch(path))):
            if not self.copy.put_new(path, self.lake.get(path)):
                raise FatalError(
                    f"the copy of {ERASURES_FOLDER}/{path} holds another erasure than this lake: "
                    "GOLDPAN_LAKE__ERASURES_COPY belongs to another lake, or this lake was "
                    "restored from a backup and used before later erasures were applied"
                )

    def bring_destroyed(self) -> None:
        """Copy the check values of keys that were destroyed since the backup into the lake."""
        self._copy_destroyed(self.copy, self.lake)

    def _copy_destroyed(self, source: ObjectStore, target: ObjectStore) -> None:
        for path, _ in list(source.walk(DESTROYED_PREFIX)):
            target.put_new(path, source.get(path))

    def newer(self) -> list[int]:
        """Return the numbers of the erasures that were made after the backup of this lake.

        Raises FatalError if the two places are not of one lake, or if a receipt is damaged.
        """
        in_lake, in_copy = set(_paths(self.lake)), set(_paths(self.copy))
        missing = in_copy - in_lake
        newer = {number for path in missing if (number := _number_in(TOMBSTONE_PATTERN, path))}
        receipts = sorted(path for path in missing if _number_in(RECEIPT_PATTERN, path))
        if receipts:
            own = sorted(path for path in in_lake if _number_in(RECEIPT_PATTERN, path))
            newer |= set(_named_in(self.copy, receipts)) - set(_named_in(self.lake, own))
        self._refuse_another(in_lake & in_copy)
        return sorted(newer)

    def _refuse_another(self, in_both: set[str]) -> None:
        """Compare the newest tombstone that both places have: a number is used only once."""
        newest = max((_number_in(TOMBSTONE_PATTERN, path) for path in in_both), default=0)
        path = f"{newest}.json"
        if newest and self.lake.find(path) != self.copy.find(path):
            raise FatalError(
                f"{ERASURES_FOLDER}/{path} is another erasure than its copy outside the lake: this "
                "lake was restored from a backup and used before later erasures were applied. "
                "Restore it again, and run `goldpan erase apply` before anything else"
            )


def receipt_name(erasure: int) -> str:
    """Return the name of the receipt of an erasure."""
    return f"{erasure}{RECEIPT_SUFFIX}"


def open_erasure_copies(settings: LakeSettings) -> ErasureCopies | None:
    """Return the two places, None if no second place is set."""
    if settings.erasures_copy is None:
        return None
    return erasure_copies_at(settings, settings.erasures_copy)


def erasure_copies_at(settings: LakeSettings, uri: str) -> ErasureCopies:
    """Return the lake's place and a second one at an address."""
    lake = LakeLocation(settings.uri, settings.s3_endpoint_url).files(ERASURES_FOLDER)
    return ErasureCopies(lake, LakeLocation(uri, settings.s3_endpoint_url).files(""))


def refuse_outdated_lake(settings: LakeSettings) -> None:
    """Raise FatalError if persons were erased after the backup of this lake (see the module).

    Or if the second place is missing, so that this is not known.
    """
    copies = open_erasure_copies(settings)
    if copies is None:
        return
    copies.refuse_absent()
    newer = copies.newer()
    if newer:
        raise FatalError(
            f"this lake is older than the erasures {', '.join(map(str, newer))}, so it holds data "
            "of erased persons: run `goldpan erase apply` before it is read"
        )


def _paths(store: ObjectStore) -> list[str]:
    return [path for path, _ in store.walk("")]


def _number_in(pattern: re.Pattern[str], path: str) -> int:
    match = pattern.fullmatch(path)
    return int(match[1]) if match else 0


def _number(path: str) -> int:
    return _number_in(TOMBSTONE_PATTERN, path) or _number_in(RECEIPT_PATTERN, path)


def _named_in(store: ObjectStore, paths: list[str]) -> Iterator[int]:
    """Yield the numbers of the erasures that receipts name."""
    for path in paths:
        try:
            yield from map(int, json.loads(store.get(path))["erasures"])
        except (ValueError, KeyError, TypeError):
            raise FatalError(f"the receipt {path} cannot be read: restore it from a copy") from None
