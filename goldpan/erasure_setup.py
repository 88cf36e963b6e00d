"""Puts together what the commands about erasures need out of the settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from batch.erase import receipt
from batch.erase.erasure import LakeErasure
from batch.erase.reapply import MissedErasures, ReappliedErasure
from batch.erase.releases import ReleaseEraser
from batch.erase.scanner import ErasureScanner
from batch.erase.table_set import TableSet
from batch.erase.tombstone_store import TombstoneStore
from batch.labels.scorer_loader import load_scorer
from batch.progress import ReportProgress
from goldpan import jobs, release_setup, replay_setup, wiring
from goldpan import key_check as keys_of_lake
from goldpan.settings import Settings
from lake import tombstones
from lake.erasure_copies import erasure_copies_at, open_erasure_copies
from lake.key_checks import REDACTION_PURPOSE
from lake.location import LakeLocation
from lake.tables import TABLE_LAYOUTS, Lake
from redact.crypto.keys import Keys, load_all_keys, load_keys, load_seal_key
from redact.crypto.sealing import Sealer
from redact.crypto.signing import Signer, public_keys
from redact.policies.policy import load_policy
from schemas.errors import UsageError
from stream.replay.repository import ReplayRepository, ReplayState

_FIRST = f"_delta_log/{0:020}.json"
_PLAN_AND_FATE = 2


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """What a person asks for. ``unopened``: keep, remove or refuse payloads that stay closed.

    ``ids`` are given with where they were named. ``without_keys`` are ids of redaction keys that
    are lost; ``reference`` is the number of the request.
    """

    ids: Mapping[str, str]
    unopened: str
    without_keys: frozenset[str] = frozenset()
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """An erasure by its receipt. ``signed_by`` is None if the signature does not hold."""

    number: int
    said: dict[str, Any]
    signed_by: str | None


def set_up_erasure(
    settings: Settings,
    asked: ErasureRequest,
    progress: ReportProgress,
    missed: MissedErasures | None = None,
) -> LakeErasure:
    """Return an erasure of persons, or with ``read_missed_erasures`` of those of erasures that a lake has missed.

    Raises UsageError if there is no redaction key or one that is another than the lake's of that
    name, if one is missing under which rows were written, or if a replay is in the middle of
    something;
    FatalError if this machine's clock is wrong: records of the person are kept out up to its time.
    """
    current = load_keys(settings.redact)
    keys = load_all_keys(settings.redact)
    lake, means = Lake(settings.lake), jobs.job_context()
    wiring.refuse_other_keys(settings, lake)
    _refuse_missing_keys(lake, keys, asked.without_keys)
    wiring.store_now_us(settings)
    places = [TableSet("", {name: lake.table(name) for name in TABLE_LAYOUTS})]
    places += _staged(settings)
    sealer = Sealer(current.fingerprint, "", load_seal_key(settings.redact))
    reapplied = None
    if missed is not None:
        missed.put(places, means.retry, means.now_ms)
        reapplied = ReappliedErasure(
            missed.find_persons(places, keys, means.retry), missed.coordinates
        )
    searcher = ErasureScanner(
        places,
        sealer,
        retry=means.retry,
        remove_unopened=asked.unopened == "remove",
        progress=progress,
    )
    return LakeErasure(
        lake=lake,
        table_sets=places,
        ids=frozenset(asked.ids),
        keys=keys,
        scanner=searcher,
        refuse_unopened=asked.unopened == "refuse",
        releases=ReleaseEraser(
            release_setup.open_releases(settings), Signer(current.receipt), progress
        ),
        scorer=None if settings.labels.off else load_scorer(settings.labels, lake.location),
        context=means,
        progress=progress,
        regions=load_policy(settings.redact.policy).regions,
        reference=asked.reference,
        lost_keys=sorted(asked.without_keys - {one.key_id for one in keys}),
        reapplied=reapplied,
    )


def read_missed_erasures(settings: Settings, folder: str | None) -> MissedErasures:
    """Return the erasures that the lake has missed, by the copies in a folder or by those set.

    Raises UsageError if there are no copies, or as `MissedErasures.read`.
    """
    uri = folder or settings.lake.erasures_copy
    if uri is None:
        raise UsageError(
            "say where tombstones and receipts were kept: --from FOLDER, or "
            "GOLDPAN_LAKE__ERASURES_COPY"
        )
    found = erasure_copies_at(settings.lake, uri)
    if folder is None:
        found.refuse_absent()
    keys = load_all_keys(settings.redact)
    retry = jobs.job_context().retry
    retry.call("reading the copies of erasures", found.bring_destroyed)
    missed: MissedErasures = retry.call(
        "reading the copies of erasures", partial(MissedErasures.read, found, keys)
    )
    return missed


def without_erasures_copy(settings: Settings) -> Settings:
    """Return settings by which a lake is opened that is older than its erasures."""
    lake = settings.lake.model_copy(update={"erasures_copy": None})
    return settings.model_copy(update={"lake": lake})


def create_erasures_copy(settings: Settings) -> None:
    """Let the place where tombstones are kept a second time be one, if one is set."""
    found = open_erasure_copies(settings.lake)
    if found is not None:
        jobs.job_context().retry.call("beginning the copies of erasures", found.begin)


def copy_erasures(settings: Settings) -> None:
    """Copy tombstones and receipts to where they are kept a second time, if that is set.

    Raises FatalError if that does not answer, or holds those of another lake.
    """
    found = open_erasure_copies(settings.lake)
    if found is not None:
        jobs.job_context().retry.call("copying tombstones and receipts", found.keep)


def _refuse_missing_keys(lake: Lake, held: Sequence[Keys], lost: frozenset[str]) -> None:
    """Raise UsageError if rows were written under keys that are neither held nor lost."""
    named = {one.key_id for one in held} | lost
    step = partial(keys_of_lake.list_required_keys, lake, count=True)
    needed = jobs.job_context().retry.call("looking at the lake's keys", step)
    missing = [
        one for one in needed if one.purpose == REDACTION_PURPOSE and one.key_id not in named
    ]
    if missing:
        names = ", ".join(one.key_id for one in missing)
        rows = sum(one.rows or 0 for one in missing)
        raise UsageError(
            f"the lake was written under redaction keys that are not set here ({names}; {rows} "
            "rows), so nobody can tell who stands in those rows: set them in "
            "GOLDPAN_REDACT__FORMER_KEYS (a JSON object: key id, key in base64). If one is lost, "
            "--without-key with its id goes on, and the receipt names it"
        )


def read_receipts(settings: Settings) -> list[SignedReceipt]:
    """Return the receipts of a lake, in order."""
    tombs = TombstoneStore(
        tombstones.open_tombstones(_location(settings)), jobs.job_context().retry
    )
    found = []
    for number in tombs.list_receipts():
        data = tombs.find_receipt(number)
        if data is not None:
            said, signed_by = receipt.read_receipt(data, f"the receipt {number}")
            found.append(SignedReceipt(number, said, signed_by))
    return found


def list_unfinished(settings: Settings) -> list[int]:
    """Return the numbers of tombstones that no receipt speaks of: erasures to go on with."""
    tombs = TombstoneStore(
        tombstones.open_tombstones(_location(settings)), jobs.job_context().retry
    )
    done = {number for one in read_receipts(settings) for number in one.said["erasures"]}
    return [one.number for one in tombs.all() if one.number not in done]


def verify_receipt(
    settings: Settings, path: Path, key: str | None
) -> tuple[dict[str, Any], str | None, bool | None]:
    """Read a receipt; return what it says, who signed it, and whether that is a key of ours.

    With a public ``key``, whether it is that one; without, None where no redaction key is set.
    Raises UsageError if the file cannot be read or is no receipt.
    """
    try:
        data = path.read_bytes()
    except OSError:
        raise UsageError(f"{path} cannot be read") from None
    said, signed_by = receipt.read_receipt(data, str(path))
    if key is not None:
        return said, signed_by, signed_by == key
    ours = public_keys(keys.receipt for keys in load_all_keys(settings.redact))
    return said, signed_by, signed_by in ours if ours else None


def _staged(settings: Settings) -> Iterator[TableSet]:
    """Yield the tables of staged replays; UsageError if one is being removed or promoted."""
    staging = replay_setup.open_staging(settings)
    for name, progress in staging.all():
        files = _location(settings).files(f"replays/{name}")
        if progress is None:
            raise UsageError(
                f"the replay {name} is being removed: run `goldpan replay abandon {name}` again "
                "first, it finishes what was begun"
            )
        half_gone = (
            progress.state is ReplayState.PROMOTED and len(list(files.walk(""))) > _PLAN_AND_FATE
        )
        if progress.state is ReplayState.PROMOTING or half_gone:
            raise UsageError(
                f"the replay {name} is being promoted: run `goldpan replay promote {name}` again "
                "first, it finishes what was begun"
            )
        yield _tables(staging, settings, name)


def _tables(staging: ReplayRepository, settings: Settings, name: str) -> TableSet:
    lake, path = staging.lake(name), f"replays/{name}"
    there = [
        table
        for table in TABLE_LAYOUTS
        if _location(settings).files(f"{path}/{table}").size(_FIRST) is not None
    ]
    return TableSet(path, {table: lake.table(table) for table in there})


def _location(settings: Settings) -> LakeLocation:
    return LakeLocation(settings.lake.uri, settings.lake.s3_endpoint_url)
