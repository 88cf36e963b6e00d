"""Sets up erasures, and the copies of tombstones and receipts, from the settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from batch.erase.erasure import LakeErasure
from batch.erase.reapply import MissedErasures, ReappliedErasure
from batch.erase.releases import ReleaseEraser
from batch.erase.scanner import ErasureScanner
from batch.erase.table_set import TableSet
from batch.gate.answer_erasure import AnswerEraser
from batch.labels.scorer_loader import load_scorer
from batch.progress import ReportProgress
from goldpan import jobs, release_setup, replay_setup, wiring
from goldpan.gate_runs import open_gate_runs
from goldpan.key_check import list_required_keys
from goldpan.settings import Settings
from lake.erasure_copies import erasure_copies_at
from lake.key_checks import REDACTION_PURPOSE
from lake.location import LakeLocation
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake
from redact.crypto.keys import Keys, load_all_keys, load_keys, load_seal_key
from redact.crypto.sealing import Sealer
from redact.crypto.signing import Signer
from redact.policies.policy import load_policy
from schemas.errors import UsageError
from stream.replay.repository import ReplayRepository, ReplayState

_FIRST_COMMIT = f"_delta_log/{0:020}.json"
_FILES_OF_A_PROMOTED_REPLAY = 2  # its plan and its final state


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """A request to erase persons.

    ``ids`` maps each id to where it was given. ``unopened`` says what to do with sealed payloads
    that cannot be opened: keep, remove or refuse. ``without_keys`` are ids of lost redaction keys;
    ``reference`` is the number of the request.
    """

    ids: Mapping[str, str]
    unopened: str
    without_keys: frozenset[str] = frozenset()
    reference: str | None = None


def set_up_erasure(
    settings: Settings,
    request: ErasureRequest,
    progress: ReportProgress,
    missed: MissedErasures | None = None,
) -> LakeErasure:
    """Return an erasure of the requested persons, or of those in ``missed``.

    ``missed`` are erasures made after the backup that this lake was restored from. Raises
    UsageError if no redaction key is set, if a key differs from the lake's key of that name, or if
    a key is missing that rows were written with. Also if a replay is half promoted or half removed.
    Raises FatalError if this machine's clock is wrong: records of the persons are dropped up to its
    time.
    """
    current = load_keys(settings.redact)
    keys = load_all_keys(settings.redact)
    lake, context = Lake(settings.lake), jobs.job_context()
    wiring.refuse_other_keys(settings, lake)
    _refuse_missing_keys(lake, keys, request.without_keys)
    wiring.store_now_us(settings)
    table_sets = [TableSet("", {name: lake.table(name) for name in TABLE_LAYOUTS})]
    table_sets += _staged_table_sets(settings)
    sealer = Sealer(current.fingerprint, "", load_seal_key(settings.redact))
    reapplied = None
    if missed is not None:
        missed.put_tombstones(table_sets, context)
        reapplied = ReappliedErasure(
            missed.find_persons(table_sets, keys, context.retry), missed.coordinates
        )
    scanner = ErasureScanner(
        table_sets,
        sealer,
        retry=context.retry,
        remove_unopened=request.unopened == "remove",
        progress=progress,
    )
    releases = release_setup.open_releases(settings)
    return LakeErasure(
        lake=lake,
        table_sets=table_sets,
        ids=frozenset(request.ids),
        keys=keys,
        scanner=scanner,
        refuse_unopened=request.unopened == "refuse",
        releases=ReleaseEraser(releases, Signer(current.receipt), progress),
        scorer=None if settings.labels.off else load_scorer(settings.labels, lake.location),
        context=context,
        progress=progress,
        regions=load_policy(settings.redact.policy).regions,
        reference=request.reference,
        lost_keys=sorted(request.without_keys - {key.key_id for key in keys}),
        reapplied=reapplied,
        answers=AnswerEraser(open_gate_runs(settings), releases),
    )


def read_missed_erasures(settings: Settings, folder: str | None) -> MissedErasures:
    """Return the erasures that are in the copies, but not in the lake.

    The copies are in ``folder``, or where the settings say. Raises UsageError if there are no
    copies, and as `MissedErasures.read`.
    """
    uri = folder or settings.lake.erasures_copy
    if uri is None:
        raise UsageError(
            "name the copies of tombstones and receipts: --from FOLDER, or "
            "GOLDPAN_LAKE__ERASURES_COPY"
        )
    copies = erasure_copies_at(settings.lake, uri)
    if folder is None:
        copies.refuse_absent()
    keys = load_all_keys(settings.redact)
    retry = jobs.job_context().retry
    retry.call("reading the copies of erasures", copies.bring_destroyed)
    missed: MissedErasures = retry.call(
        "reading the copies of erasures", partial(MissedErasures.read, copies, keys)
    )
    return missed


def without_erasures_copy(settings: Settings) -> Settings:
    """Return settings that open a lake older than its erasures: without the copies of erasures."""
    lake = settings.lake.model_copy(update={"erasures_copy": None})
    return settings.model_copy(update={"lake": lake})


def _refuse_missing_keys(lake: Lake, keys: Sequence[Keys], lost: frozenset[str]) -> None:
    """Raise UsageError if rows were written with keys that are neither set nor declared lost."""
    known = {key.key_id for key in keys} | lost
    step = partial(list_required_keys, lake, count=True)
    required = jobs.job_context().retry.call("reading the lake's keys", step)
    missing = [
        key for key in required if key.purpose == REDACTION_PURPOSE and key.key_id not in known
    ]
    if missing:
        names = ", ".join(key.key_id for key in missing)
        rows = sum(key.rows or 0 for key in missing)
        raise UsageError(
            "the lake has rows that were written with redaction keys not set here "
            f"({names}; rows: {rows:,}), so they cannot be searched for the persons: set the keys "
            "in GOLDPAN_REDACT__FORMER_KEYS (a JSON object: key id, key in base64). If a key is "
            "lost, give its id with --without-key; the receipt will name it"
        )


def _staged_table_sets(settings: Settings) -> Iterator[TableSet]:
    """Yield the table sets of staged replays; UsageError if one is being removed or promoted."""
    replays = replay_setup.open_staging(settings)
    for name, progress in replays.all():
        files = _location(settings).files(f"replays/{name}")
        if progress is None:
            raise UsageError(
                f"the replay {name} is half removed: run `goldpan replay abandon {name}` again to "
                "finish that first"
            )
        half_removed = (
            progress.state is ReplayState.PROMOTED
            and len(list(files.walk(""))) > _FILES_OF_A_PROMOTED_REPLAY
        )
        if progress.state is ReplayState.PROMOTING or half_removed:
            raise UsageError(
                f"the replay {name} is half promoted: run `goldpan replay promote {name}` again to "
                "finish that first"
            )
        yield _staged_tables(replays, settings, name)


def _staged_tables(replays: ReplayRepository, settings: Settings, name: str) -> TableSet:
    lake, path = replays.lake(name), f"replays/{name}"
    existing = [
        table
        for table in TABLE_LAYOUTS
        if _location(settings).files(f"{path}/{table}").size(_FIRST_COMMIT) is not None
    ]
    return TableSet(path, {table: lake.table(table) for table in existing})


def _location(settings: Settings) -> LakeLocation:
    return LakeLocation(settings.lake.uri, settings.lake.s3_endpoint_url)
