"""Sets up the import of files from the settings, and the assembly of what was imported."""

from collections.abc import Callable, Sequence
from pathlib import Path

from goldpan import wiring
from goldpan.settings import Settings
from lake.table_writer import TableWriter
from lake.tables import Lake
from otel.capture_files import CaptureFileError, read_capture, unpack_content
from otel.formats import SignalFormat
from schemas.arrow import AUDIT_TABLE, QUARANTINE_TABLE, SPANS_TABLE
from schemas.errors import RetryableError, UsageError
from schemas.record_batches import RawRecord
from stream.failpoints import FlushStep
from stream.file_import import FileImport, ImportedFile, digest_content, incarnation_of
from stream.flusher import RecordFlushRunner
from stream.intake import SIGNALS_AT_ONCE, Intake

PART_BYTES = 8 * 2**20
"""Records that are committed at once: a file of a gigabyte makes about a hundred commits."""
IMPORT_RETRY_SECONDS = 120.0
NO_TIMESTAMP = -1


def set_up_import(
    settings: Settings,
    signal_format: SignalFormat,
    reached: Callable[[FlushStep], None] = lambda _step: None,
) -> FileImport:
    """Return the import of files with a format; ``reached`` is called after each step."""
    redaction, lake = wiring.load_redaction(settings.redact), Lake(settings.lake)
    wiring.refuse_other_keys(settings, lake)
    context = wiring.make_commit_context(IMPORT_RETRY_SECONDS)
    tombstones = wiring.open_erasures(settings)
    decoder = wiring.make_signal_decoder(settings, signal_format)
    audit = TableWriter(lake.table(AUDIT_TABLE), context) if redaction.audited else None
    return FileImport(
        lake=lake,
        decoder=decoder,
        intake=Intake(
            decoder=decoder,
            redactor=redaction.redactor,
            sealer=redaction.sealer,
            now_us=wiring.now_us,
            on_rejected=lambda _record: None,
            erased=lambda: tombstones.kept_out,
            reads_headers=True,
            part_bytes=SIGNALS_AT_ONCE,
        ),
        runner=RecordFlushRunner(
            primary=TableWriter(lake.table(SPANS_TABLE), context),
            quarantine=TableWriter(lake.table(QUARANTINE_TABLE), context),
            audit=audit,
            incarnation=incarnation_of,
            reached=reached,
            on_checkpoint_error=_ignore_checkpoint_error,
        ),
        tombstones=tombstones,
        retry=context.retry,
        context=context,
        audited=redaction.audited,
        part_bytes=PART_BYTES,
    )


def _ignore_checkpoint_error(table: str, error: RetryableError) -> None:
    """Do nothing: the next commit to the table writes the checkpoint."""


def read_import_file(path: Path) -> ImportedFile:
    """Return the records of a file; UsageError if it cannot be read."""
    try:
        content = unpack_content(path.read_bytes())
        records: Sequence[RawRecord] = [
            RawRecord(0, offset, NO_TIMESTAMP, None, record.value, tuple(record.headers))
            for offset, record in enumerate(read_capture(content))
        ]
    except CaptureFileError as error:
        raise UsageError(f"{path}: {error}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    return ImportedFile(digest_content(content), records)
