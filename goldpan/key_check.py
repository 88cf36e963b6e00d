"""Holds the keys of the settings against those that the lake was made with: a name is not a key.

The first worker of a lake puts down what it uses (`lake.key_checks`). In a lake of before that was done, its
rows speak: pseudonyms check themselves, and a sealed payload opens or does not.
"""  # noqa: E501 - one line

import hmac
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import pyarrow.compute as pc

from goldpan.settings import Settings
from lake.erasure_copies import open_erasure_copies
from lake.key_checks import (
    DESTROYED_PREFIX,
    KEYS_FOLDER,
    REDACTION_PURPOSE,
    SEALING_PURPOSE,
    KeyCheck,
    find_key_check,
    list_destroyed_keys,
    list_key_checks,
    matches_key_check,
    put_key_check,
)
from lake.tables import Lake
from lake.tombstones import open_tombstones
from redact.crypto.keys import Keys, SealKey, load_all_keys, load_seal_key
from redact.crypto.pseudonyms import Pseudonyms
from redact.crypto.sealing import Sealer
from schemas.arrow import QUARANTINE_TABLE
from schemas.errors import UsageError

_CHECK_DIGITS: Final = 32
_PSEUDONYMS: Final = (("traces", "user_id"), ("feedback", "user_id"), ("reviews", "reviewer"))
_PSEUDONYM: Final = r"^(?P<key>[A-Za-z0-9_-]{1,16}):[a-z2-7]{12}$"
_SAMPLE: Final = 20
_BATCHES: Final = 8  # per table, at most, are searched for a sample


@dataclass(frozen=True, slots=True, repr=False)
class _Held:
    """A key of the settings: its check value, the setting it comes from, and the key itself."""

    check: KeyCheck
    setting: str
    keys: Keys | None = None
    seal: SealKey | None = None


def refuse_wrong_keys(settings: Settings, lake: Lake, *, remember: bool = False) -> None:
    """Raise UsageError if a key of the settings differs from the lake's key of that name.

    Also if the key was destroyed, whatever its name: a backup of keys brought it back. With
    ``remember``, a key with a new name is recorded as the lake's key of that name. Raises
    RetryableError or FatalError if the lake is unreachable.
    """
    files, gone = lake.location.files(KEYS_FOLDER), _destroyed(settings, lake)
    for held in _held(settings):
        if (held.check.purpose, held.check.check) in gone:
            raise UsageError(
                f"{held.setting} is a key that was destroyed ({held.check.key_id}): take it out of "
                "the settings, and out of the copy that it has come back from"
            )
        found = matches_key_check(files, held.check)
        if found is None and not _fits_rows(lake, held):
            found = False
        if found is None and remember:
            found = put_key_check(files, held.check)
        if found is False:
            raise UsageError(_sentence(held))


def revoke_key(settings: Settings, lake: Lake, purpose: str, key_id: str) -> None:
    """Record that a key was destroyed, so that no command uses it with this lake again.

    Raises UsageError if the lake does not know the key, or if it is still set here.
    """
    one = find_key_check(lake.location.files(KEYS_FOLDER), purpose, key_id)
    if one is None:
        raise UsageError(
            f"this lake has no {purpose} key {key_id}: `goldpan lake verify` lists its keys"
        )
    for held in _held(settings):
        if (held.check.purpose, held.check.check) == (purpose, one.check):
            raise UsageError(f"{held.setting} is that key: take it out of the settings first")
    put_key_check(open_tombstones(lake.location), one, DESTROYED_PREFIX)
    second = open_erasure_copies(settings.lake)
    if second is not None:
        put_key_check(second.kept, one, DESTROYED_PREFIX)


def _destroyed(settings: Settings, lake: Lake) -> set[tuple[str, str]]:
    second = open_erasure_copies(settings.lake)
    places = [open_tombstones(lake.location), *([second.kept] if second else [])]
    return {(one.purpose, one.check) for place in places for one in list_destroyed_keys(place)}


@dataclass(frozen=True, slots=True)
class RequiredKey:
    """A key that something in a lake was made with, by purpose and name.

    ``list_key_checks`` says that the lake has a check value of it; ``rows`` in how many places something made
    under that name stands, None if nobody has counted.
    """

    purpose: str
    key_id: str
    known: bool
    rows: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON that `goldpan lake verify --json` prints."""
        return {
            "purpose": self.purpose,
            "key_id": self.key_id,
            "known": self.known,
            "rows": self.rows,
        }


def list_required_keys(lake: Lake, *, count: bool) -> list[RequiredKey]:
    """Return the keys that the lake knows, and with ``count`` also those that its rows need.

    Raises RetryableError or FatalError if the lake is unreachable.
    """
    names = {(one.purpose, one.key_id) for one in list_key_checks(lake.location.files(KEYS_FOLDER))}
    rows = _rows_by_key(lake) if count else Counter()
    return [
        RequiredKey(*one, one in names, rows[one] if count else None)
        for one in sorted(names | rows.keys())
    ]


def _rows_by_key(lake: Lake) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for table, column in _PSEUDONYMS:
        for batch in lake.table(table).batches([column], rows=65_536, ahead=1):
            parts = pc.extract_regex(batch.column(column), _PSEUDONYM)
            names = pc.struct_field(parts, "key").to_pylist()
            found.update((REDACTION_PURPOSE, name) for name in names if name is not None)
    for batch in lake.table(QUARANTINE_TABLE).batches(["sealed_key_id"], rows=65_536, ahead=1):
        names = batch.column("sealed_key_id").to_pylist()
        found.update((SEALING_PURPOSE, name) for name in names if name is not None)
    return found


def make_key_check(keys: Keys) -> KeyCheck:
    """Return the check value of a redaction key, made from one of the keys derived from it."""
    return KeyCheck(REDACTION_PURPOSE, keys.key_id, _digits(keys.erasure))


def make_seal_key_check(key: SealKey) -> KeyCheck:
    """Return the check value of a sealing key."""
    return KeyCheck(SEALING_PURPOSE, key.key_id, _digits(key.secret))


def _digits(secret: bytes) -> str:
    return hmac.digest(secret, b"goldpan/check of a key", "sha256").hex()[:_CHECK_DIGITS]


def _held(settings: Settings) -> Iterator[_Held]:
    redact = settings.redact
    current = redact.key is not None or redact.key_file is not None
    for number, keys in enumerate(load_all_keys(redact)):
        former = number > 0 or not current
        name = "GOLDPAN_REDACT__FORMER_KEYS" if former else "GOLDPAN_REDACT__KEY"
        yield _Held(make_key_check(keys), name, keys=keys)
    seal = load_seal_key(redact)
    if seal is not None:
        yield _Held(make_seal_key_check(seal), "GOLDPAN_REDACT__SEAL_KEY", seal=seal)


def _sentence(held: _Held) -> str:
    name = held.check.key_id
    said = f"{held.setting} is another key than the one that this lake has of the name {name}: "
    if held.setting.endswith("FORMER_KEYS"):
        return f"{said}set the right one there under that name."
    then = " and keep the one of before in GOLDPAN_REDACT__FORMER_KEYS" if held.keys else ""
    return f"{said}set the right one, or, if it is new, give it a name of its own with " + (
        f"{held.setting}_ID{then}."
    )


def _fits_rows(lake: Lake, held: _Held) -> bool:
    """Return False if rows of the lake contradict a key of that name; True if there are none."""
    if held.keys is not None:
        return _fits_pseudonyms(lake, held.keys)
    return held.seal is None or _fits_payloads(lake, held.seal)


def _fits_pseudonyms(lake: Lake, keys: Keys) -> bool:
    maker, found = Pseudonyms(keys), list(islice(_identifiers(lake, keys.key_id), _SAMPLE))
    fitting = sum(map(maker.is_identifier, found))
    return not found or 2 * fitting >= len(found)


def _identifiers(lake: Lake, key_id: str) -> Iterator[str]:
    """Yield values that look like pseudonyms under a key of that name, from a part of the lake."""
    shape = rf"^{key_id}:[a-z2-7]{{12}}$"
    for table, column in _PSEUDONYMS:
        for batch in islice(lake.table(table).batches([column], rows=65_536, ahead=1), _BATCHES):
            values = batch.column(column)
            yield from values.filter(pc.match_substring_regex(values, shape)).to_pylist()


def _fits_payloads(lake: Lake, key: SealKey) -> bool:
    sealer, tried = Sealer(b"", "", key), 0
    for row in islice(_sealed(lake, key.key_id), _SAMPLE):
        tried += 1
        try:
            sealer.open(**row)
        except UsageError:
            continue
        return True
    return not tried


def _sealed(lake: Lake, key_id: str) -> Iterator[dict[str, Any]]:
    columns = ["_topic", "_partition", "_offset", "sealed_payload", "sealed_key_id"]
    for batch in islice(lake.table(QUARANTINE_TABLE).batches(columns, rows=1_024, ahead=1), 64):
        for row in batch.filter(pc.equal(batch.column("sealed_key_id"), key_id)).to_pylist():
            yield {name.removeprefix("_"): value for name, value in row.items()}
