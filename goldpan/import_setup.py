"""Sets up the import of files from the settings, and the assembly of what was imported."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeAlias

from goldpan import wiring
from goldpan.settings import Settings
from lake.table_writer import TableWriter
from lake.tables import Lake
from otel.capture_files import CaptureFileError, digest_capture, read_capture_stream
from otel.formats import SignalFormat
from schemas.arrow import AUDIT_TABLE, QUARANTINE_TABLE, SPANS_TABLE
from schemas.errors import RetryableError, UsageError
from schemas.record_batches import RawRecord
from stream.failpoints import FlushStep
from stream.file_import import FileImport, ImportedFile, incarnation_of
from stream.flusher import RecordFlushRunner
from stream.intake import SIGNALS_AT_ONCE, Intake
from stream.startup import create_missing_tables

PART_BYTES = 8 * 2**20
"""Records that are committed at once: a file of a gigabyte makes about a hundred commits."""
IMPORT_RETRY_SECONDS = 120.0
NO_TIMESTAMP = -1


def set_up_import(
    settings: Settings,
    signal_format: SignalFormat,
    reached: Callable[[FlushStep], None] = lambda _step: None,
) -> FileImport:
    """Return the import of files with a format; ``reached`` is called after each step.

    Creates missing tables, if the settings allow it. Raises as `create_missing_tables`.
    """
    redaction, lake = wiring.load_redaction(settings.redact), Lake(settings.lake)
    create_missing_tables(lake, settings.lake)
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
    """Return the records of a file, which is read again whenever they are asked for.

    What is no regular file, such as a pipe, is copied first. Raises UsageError if it cannot be
    read, also later; and if it changes while it is read.
    """
    try:
        copied = path if path.is_file() else _copy_to_file(path)
        with copied.open("rb") as file:
            digest = digest_capture(file)
            state = _state_of(file)
        count = sum(1 for _ in _read_records(path, copied, state))
    except CaptureFileError as error:
        raise UsageError(f"{path}: {error}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    return ImportedFile(digest, count, partial(_read_records, path, copied, state))


_FileState: TypeAlias = tuple[int, int]


def _state_of(file: BinaryIO) -> _FileState:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _read_records(path: Path, copied: Path, state: _FileState) -> Iterator[RawRecord]:
    try:
        with copied.open("rb") as file:
            for offset, record in enumerate(read_capture_stream(file)):
                if _state_of(file) != state:
                    raise UsageError(f"{path} changed while it was read: import it again.")
                headers = tuple(record.headers)
                yield RawRecord(0, offset, NO_TIMESTAMP, None, record.value, headers)
    except CaptureFileError as error:
        raise UsageError(f"{path}: {error}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None


def _copy_to_file(path: Path) -> Path:
    """Return a copy of what can be read only once. It is gone when the process ends."""
    copy = tempfile.NamedTemporaryFile()  # noqa: SIM115 - it lives as long as the process
    atexit.register(copy.close)
    with path.open("rb") as source:
        shutil.copyfileobj(source, copy)
    copy.flush()
    return Path(copy.name)
