"""Puts together what the commands about erasures need out of the settings."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch.erase import receipt
from batch.erase.erasure import Erasure
from batch.erase.look import Progress, Searcher
from batch.erase.place import Place
from batch.erase.released import OnShelf
from batch.erase.tombs import Tombs
from batch.labels.scales import open_scales
from goldpan import jobs, releases, replays, wiring
from goldpan.settings import Settings
from lake import erasures
from lake.location import Location
from lake.tables import LAYOUTS, Lake
from redact.keys import load_keys, load_known_keys, load_seal_key
from redact.quarantine import Sealer
from redact.signing import Signer
from schemas.errors import UsageError
from stream.replay.staging import Staging, State

_FIRST = f"_delta_log/{0:020}.json"
_PLAN_AND_FATE = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks for. ``unopened``: keep, remove or refuse payloads that stay closed."""

    ids: frozenset[str]
    unopened: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An erasure by its receipt. ``signed_by`` is None if the signature does not hold."""

    number: int
    said: dict[str, Any]
    signed_by: str | None


def erasure(settings: Settings, asked: Asked, progress: Progress) -> Erasure:
    """Return an erasure of persons.

    Raises UsageError if there is no redaction key or one that is another than the lake's of that
    name, or if a replay is in the middle of something;
    FatalError if this machine's clock is wrong: records of the person are kept out up to its time.
    """
    current = load_keys(settings.redact)
    keys = load_known_keys(settings.redact)
    lake, means = Lake(settings.lake), jobs.means()
    wiring.refuse_other_keys(settings, lake)
    wiring.store_now(settings)
    places = [Place("", {name: lake.table(name) for name in LAYOUTS})]
    places += _staged(settings)
    sealer = Sealer(current.fingerprint, "", load_seal_key(settings.redact))
    searcher = Searcher(
        places,
        sealer,
        retry=means.retry,
        closed_too=asked.unopened == "remove",
        progress=progress,
    )
    return Erasure(
        lake=lake,
        places=places,
        ids=asked.ids,
        keys=keys,
        searcher=searcher,
        refuse_closed=asked.unopened == "refuse",
        releases=OnShelf(releases.shelf(settings), Signer(current.receipt), progress),
        scales=None if settings.labels.off else open_scales(settings.labels, lake.location),
        means=means,
        progress=progress,
    )


def subjects(one: str | None, file: str | None, text: str | None) -> frozenset[str]:
    """Return the ids that are meant: one, or a line each of a file, whose content is ``text``.

    Raises UsageError if there is not exactly one of the two, or no id.
    """
    if (one is None) == (file is None):
        raise UsageError("say whom to erase: --subject ID, or --subjects FILE with an id a line")
    lines = [one or ""] if text is None else text.splitlines()
    ids = frozenset(line.strip() for line in lines) - {""}
    if not ids:
        raise UsageError(f"{file or '--subject'} names nobody")
    return ids


def kept(settings: Settings) -> list[Kept]:
    """Return the receipts of a lake, in order."""
    tombs = Tombs(erasures.open_store(_location(settings)), jobs.means().retry)
    found = []
    for number in tombs.receipts():
        data = tombs.receipt(number)
        if data is not None:
            said, signed_by = receipt.read(data, f"the receipt {number}")
            found.append(Kept(number, said, signed_by))
    return found


def open_numbers(settings: Settings) -> list[int]:
    """Return the numbers of tombstones that no receipt speaks of: erasures to go on with."""
    tombs = Tombs(erasures.open_store(_location(settings)), jobs.means().retry)
    done = {number for one in kept(settings) for number in one.said["erasures"]}
    return [one.number for one in tombs.all() if one.number not in done]


def check(settings: Settings, path: Path) -> tuple[dict[str, Any], str | None, bool]:
    """Read a receipt; return what it says, who signed it, and whether that is a key of ours.

    Raises UsageError if the file cannot be read or is no receipt.
    """
    try:
        data = path.read_bytes()
    except OSError:
        raise UsageError(f"{path} cannot be read") from None
    said, signed_by = receipt.read(data, str(path))
    ours = {Signer(keys.receipt).public for keys in load_known_keys(settings.redact)}
    return said, signed_by, signed_by in ours


def _staged(settings: Settings) -> Iterator[Place]:
    """Yield the tables of staged replays; UsageError if one is being removed or promoted."""
    staging = replays.staging(settings)
    for name, progress in staging.all():
        files = _location(settings).files(f"replays/{name}")
        if progress is None:
            raise UsageError(
                f"the replay {name} is being removed: run `goldpan replay abandon {name}` again "
                "first, it finishes what was begun"
            )
        half_gone = progress.state is State.PROMOTED and len(list(files.walk(""))) > _PLAN_AND_FATE
        if progress.state is State.PROMOTING or half_gone:
            raise UsageError(
                f"the replay {name} is being promoted: run `goldpan replay promote {name}` again "
                "first, it finishes what was begun"
            )
        yield _tables(staging, settings, name)


def _tables(staging: Staging, settings: Settings, name: str) -> Place:
    lake, path = staging.lake(name), f"replays/{name}"
    there = [
        table
        for table in LAYOUTS
        if _location(settings).files(f"{path}/{table}").size(_FIRST) is not None
    ]
    return Place(path, {table: lake.table(table) for table in there})


def _location(settings: Settings) -> Location:
    return Location(settings.lake.uri, settings.lake.s3_endpoint_url)
