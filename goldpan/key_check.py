"""Checks that the configured keys are those that the lake was written with.

The first worker of a lake records check values of its keys (`lake.key_checks`). In an older lake
the rows decide: pseudonyms contain a check, and a sealed payload opens or does not.
"""

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
_PSEUDONYMS: Final = (
    ("traces", "user_id"),
    ("feedback", "user_id"),
    ("reviews", "reviewer"),
    ("otel_spans", "user_id"),
)
_PSEUDONYM: Final = r"^(?P<key>[A-Za-z0-9_-]{1,16}):[a-z2-7]{12}$"
_SAMPLE: Final = 20
_BATCHES: Final = 8  # per table, at most, are searched for a sample


@dataclass(frozen=True, slots=True, repr=False)
class _ConfiguredKey:
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
    files, destroyed = lake.location.files(KEYS_FOLDER), _destroyed_keys(settings, lake)
    for key in _configured_keys(settings):
        if (key.check.purpose, key.check.check) in destroyed:
            raise UsageError(
                f"{key.setting} is a key that was destroyed ({key.check.key_id}): remove it from "
                "the settings, and from the backup that it was restored from"
            )
        matches = matches_key_check(files, key.check)
        if matches is None and not _fits_rows(lake, key):
            matches = False
        if matches is None and remember:
            matches = put_key_check(files, key.check)
        if matches is False:
            raise UsageError(_describe_wrong_key(key))


def revoke_key(settings: Settings, lake: Lake, purpose: str, key_id: str) -> None:
    """Record that a key was destroyed, so that no command uses it with this lake again.

    Raises UsageError if the lake does not know the key, or if it is still set here.
    """
    check = find_key_check(lake.location.files(KEYS_FOLDER), purpose, key_id)
    if check is None:
        raise UsageError(
            f"this lake has no {purpose} key {key_id}: `goldpan lake verify` lists its keys"
        )
    for key in _configured_keys(settings):
        if (key.check.purpose, key.check.check) == (purpose, check.check):
            raise UsageError(f"{key.setting} is still this key: remove it from the settings first")
    put_key_check(open_tombstones(lake.location), check, DESTROYED_PREFIX)
    copies = open_erasure_copies(settings.lake)
    if copies is not None:
        put_key_check(copies.copy, check, DESTROYED_PREFIX)


def _destroyed_keys(settings: Settings, lake: Lake) -> set[tuple[str, str]]:
    """Return purpose and check value of each destroyed key, from the lake and its copies."""
    copies = open_erasure_copies(settings.lake)
    stores = [open_tombstones(lake.location), *([copies.copy] if copies else [])]
    return {
        (check.purpose, check.check) for store in stores for check in list_destroyed_keys(store)
    }


@dataclass(frozen=True, slots=True)
class RequiredKey:
    """A key that values in a lake were made with, by purpose and name.

    ``known``: the lake has its check value. ``rows``: number of values made with a key of that
    name, None if they were not counted.
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
    checks = list_key_checks(lake.location.files(KEYS_FOLDER))
    known = {(check.purpose, check.key_id) for check in checks}
    rows = _rows_by_key(lake) if count else Counter()
    return [
        RequiredKey(*key, key in known, rows[key] if count else None)
        for key in sorted(known | rows.keys())
    ]


def _rows_by_key(lake: Lake) -> Counter[tuple[str, str]]:
    rows: Counter[tuple[str, str]] = Counter()
    for table, column in _PSEUDONYMS:
        for batch in lake.table(table).batches([column], rows=65_536, ahead=1):
            parts = pc.extract_regex(batch.column(column), _PSEUDONYM)
            names = pc.struct_field(parts, "key").to_pylist()
            rows.update((REDACTION_PURPOSE, name) for name in names if name is not None)
    for batch in lake.table(QUARANTINE_TABLE).batches(["sealed_key_id"], rows=65_536, ahead=1):
        names = batch.column("sealed_key_id").to_pylist()
        rows.update((SEALING_PURPOSE, name) for name in names if name is not None)
    return rows


def make_key_check(keys: Keys) -> KeyCheck:
    """Return the check value of a redaction key, made from one of the keys derived from it."""
    return KeyCheck(REDACTION_PURPOSE, keys.key_id, _check_digits(keys.erasure))


def make_seal_key_check(key: SealKey) -> KeyCheck:
    """Return the check value of a sealing key."""
    return KeyCheck(SEALING_PURPOSE, key.key_id, _check_digits(key.secret))


def _check_digits(secret: bytes) -> str:
    return hmac.digest(secret, b"goldpan/check of a key", "sha256").hex()[:_CHECK_DIGITS]


def _configured_keys(settings: Settings) -> Iterator[_ConfiguredKey]:
    redact = settings.redact
    current = redact.key is not None or redact.key_file is not None
    for index, keys in enumerate(load_all_keys(redact)):
        former = index > 0 or not current
        name = "GOLDPAN_REDACT__FORMER_KEYS" if former else "GOLDPAN_REDACT__KEY"
        yield _ConfiguredKey(make_key_check(keys), name, keys=keys)
    seal = load_seal_key(redact)
    if seal is not None:
        yield _ConfiguredKey(make_seal_key_check(seal), "GOLDPAN_REDACT__SEAL_KEY", seal=seal)


def _describe_wrong_key(key: _ConfiguredKey) -> str:
    problem = f"{key.setting} differs from this lake's key with the id {key.check.key_id}: "
    if key.setting.endswith("FORMER_KEYS"):
        return f"{problem}set the correct key under that id."
    keep = " and keep the previous key in GOLDPAN_REDACT__FORMER_KEYS" if key.keys else ""
    return f"{problem}set the correct key. For a new key, set a new id with {key.setting}_ID{keep}."


def _fits_rows(lake: Lake, key: _ConfiguredKey) -> bool:
    """Return False if rows of the lake contradict a key of that name; True if there are none."""
    if key.keys is not None:
        return _fits_pseudonyms(lake, key.keys)
    return key.seal is None or _fits_payloads(lake, key.seal)


def _fits_pseudonyms(lake: Lake, keys: Keys) -> bool:
    sample = list(islice(_identifiers(lake, keys.key_id), _SAMPLE))
    fitting = sum(map(Pseudonyms(keys).is_identifier, sample))
    return not sample or 2 * fitting >= len(sample)


def _identifiers(lake: Lake, key_id: str) -> Iterator[str]:
    """Yield values that look like pseudonyms under a key of that name, from a part of the lake."""
    shape = rf"^{key_id}:[a-z2-7]{{12}}$"
    for table, column in _PSEUDONYMS:
        for batch in islice(lake.table(table).batches([column], rows=65_536, ahead=1), _BATCHES):
            values = batch.column(column)
            yield from values.filter(pc.match_substring_regex(values, shape)).to_pylist()


def _fits_payloads(lake: Lake, key: SealKey) -> bool:
    sealer, tried = Sealer(b"", "", key), 0
    for row in islice(_sealed_payloads(lake, key.key_id), _SAMPLE):
        tried += 1
        try:
            sealer.open(**row)
        except UsageError:
            continue
        return True
    return not tried


def _sealed_payloads(lake: Lake, key_id: str) -> Iterator[dict[str, Any]]:
    columns = ["_topic", "_partition", "_offset", "_index", "sealed_payload", "sealed_key_id"]
    for batch in islice(lake.table(QUARANTINE_TABLE).batches(columns, rows=1_024, ahead=1), 64):
        for row in batch.filter(pc.equal(batch.column("sealed_key_id"), key_id)).to_pylist():
            place = {"item": row.pop("_index")}
            yield place | {name.removeprefix("_"): value for name, value in row.items()}
