"""Which documents were right for a trace, as a file beside the spec says.

Each line is ``{"trace_id": ID, "documents": [ID, …]}``, with the ids of the index. They come from
whoever knows: people who looked for the right documents, or a set of questions with known sources.
Errors name the line and never its content.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
import pyarrow as pa

from batch.release.format.manifest import ExpectedDocumentFacts
from batch.release.format.rows import EXPECTED_DOCUMENTS, SCHEMA_WITH_DOCUMENTS
from batch.release.sampling.spec import ReleaseSpec
from schemas.errors import UsageError

_MOST_DOCUMENTS: Final = 1_000
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
"""As long as the contract lets the id of a trace, and of a retrieved document, be."""


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of the file."""

    trace_id: _Id
    documents: Annotated[list[_Id], msgspec.Meta(min_length=1, max_length=_MOST_DOCUMENTS)]


@dataclass(frozen=True, slots=True, repr=False)
class ExpectedDocuments:
    """The documents that were right, by trace id. ``sha256`` is the hash of the file."""

    sha256: str
    by_trace: Mapping[str, list[str]]

    def add_to(self, rows: pa.Table) -> pa.Table:
        """Return the rows of a release with the documents; unchanged if the file names no row."""
        said = [self.by_trace.get(trace_id) for trace_id in rows["trace_id"].to_pylist()]
        if not any(said):
            return rows
        index = SCHEMA_WITH_DOCUMENTS.get_field_index(EXPECTED_DOCUMENTS)
        column = SCHEMA_WITH_DOCUMENTS.field(index)
        return rows.add_column(index, column, pa.array(said, column.type))

    def to_json(self, rows: pa.Table) -> ExpectedDocumentFacts:
        """Return the entry of the manifest, for the rows of a release."""
        named = sum(trace_id in self.by_trace for trace_id in rows["trace_id"].to_pylist())
        return {"sha256": self.sha256, "traces": len(self.by_trace), "rows": named}


def read_expected_documents(spec: ReleaseSpec, folder: Path) -> ExpectedDocuments | None:
    """Return what the file that a spec names says, None if it names none.

    Relative paths are relative to ``folder``. Traces that the release does not hold may be named.
    Raises UsageError, with the line, for the first line that cannot be read.
    """
    if spec.expected_documents is None:
        return None
    name = spec.expected_documents.file
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise UsageError(
            f"expected_documents.file: {name} cannot be read: "
            f"{error.strerror or type(error).__name__}."
        ) from None
    by_trace: dict[str, list[str]] = {}
    for number, text in enumerate(data.splitlines(), 1):
        if not text.strip():
            continue
        line = _read(text, f"{name}, line {number}")
        if line.trace_id in by_trace:
            raise UsageError(f"{name}, line {number}: this `trace_id` has a line already.")
        by_trace[line.trace_id] = list(dict.fromkeys(line.documents))
    return ExpectedDocuments(hashlib.sha256(data).hexdigest(), by_trace)


def _read(text: bytes, where: str) -> _Line:
    try:
        return msgspec.json.decode(text, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UsageError(
            f'{where}: write {{"trace_id": ID, "documents": [ID, …]}}, with ids of up to 512 '
            f"characters, at least one document and at most {_MOST_DOCUMENTS:,}."
        ) from None
