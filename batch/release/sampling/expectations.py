"""What would have been right for a trace, as files beside the spec say: documents, and tool calls.

A line is ``{"trace_id": ID, "documents": [ID, …]}``, with the ids of the index, or ``{"trace_id":
ID, "calls": [{"name": NAME, "arguments": {…}}, …]}``. They come from whoever knows: people who
looked, or a set of questions with known answers. Errors name the line and never its content.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
import pyarrow as pa

from batch.release.format.manifest import ExpectationFacts
from batch.release.format.rows import (
    EXPECTATIONS,
    EXPECTED_CALLS,
    EXPECTED_DOCUMENTS,
    release_schema,
)
from batch.release.sampling.spec import ExpectationFile, ReleaseSpec
from schemas.errors import UsageError
from schemas.records import ToolCall

_MOST: Final = 1_000
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
"""As long as the contract lets the id of a trace, and of a retrieved document, be."""
_DOCUMENTS_FORM: Final = (
    'write {"trace_id": ID, "documents": [ID, …]}, with ids of up to 512 characters, at least one '
    f"document and at most {_MOST:,}"
)
_CALLS_FORM: Final = (
    'write {"trace_id": ID, "calls": [{"name": NAME, "arguments": {…}}, …]}, with at most '
    f"{_MOST:,} calls"
)


class _DocumentsLine(msgspec.Struct, forbid_unknown_fields=True):
    """A line of the file of documents."""

    trace_id: _Id
    documents: Annotated[list[_Id], msgspec.Meta(min_length=1, max_length=_MOST)]


class _Call(msgspec.Struct, forbid_unknown_fields=True):
    """A call that would have been right."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    arguments: dict[str, Any] = {}


class _CallsLine(msgspec.Struct, forbid_unknown_fields=True):
    """A line of the file of calls; without calls, none would have been right."""

    trace_id: _Id
    calls: Annotated[list[_Call], msgspec.Meta(max_length=_MOST)]


_LineT = TypeVar("_LineT", _DocumentsLine, _CallsLine)


@dataclass(frozen=True, slots=True, repr=False)
class Expectations:
    """What a file says, by trace id, and the column of a release that holds it.

    ``sha256`` is the hash of the file.
    """

    column: Literal["expected_documents", "expected_calls"]
    sha256: str
    by_trace: Mapping[str, Sequence[Any]]

    def add_to(self, rows: pa.Table) -> pa.Table:
        """Return the rows of a release with the column; unchanged if the file names no row."""
        said = [self.by_trace.get(trace_id) for trace_id in rows["trace_id"].to_pylist()]
        if all(each is None for each in said):
            return rows
        field = EXPECTATIONS[self.column]
        added = rows.append_column(field, pa.array(said, field.type))
        ordered = release_schema(added.schema.names).names
        return added.select([name for name in ordered if name in added.schema.names])

    def to_json(self, rows: pa.Table) -> ExpectationFacts:
        """Return the entry of the manifest, for the rows of a release."""
        named = sum(trace_id in self.by_trace for trace_id in rows["trace_id"].to_pylist())
        return {"sha256": self.sha256, "traces": len(self.by_trace), "rows": named}


def read_expected_documents(spec: ReleaseSpec, folder: Path) -> Expectations | None:
    """Return what the file of documents that a spec names says, None if it names none.

    Relative paths are relative to ``folder``. Traces that the release does not hold may be named.
    Raises UsageError, with the line, for the first line that cannot be read.
    """
    if spec.expected_documents is None:
        return None
    name, data = _read_file(spec.expected_documents, EXPECTED_DOCUMENTS, folder)
    lines = _read_lines(name, data, _DocumentsLine, _DOCUMENTS_FORM)
    by_trace = {line.trace_id: list(dict.fromkeys(line.documents)) for _, line in lines}
    return Expectations(EXPECTED_DOCUMENTS, hashlib.sha256(data).hexdigest(), by_trace)


def read_expected_calls(
    spec: ReleaseSpec,
    folder: Path,
    are_redacted: Callable[[Sequence[list[ToolCall]]], Sequence[bool]],
) -> Expectations | None:
    """Return what the file of tool calls that a spec names says, None if it names none.

    ``are_redacted`` says for the calls of each trace whether redaction leaves them as they are: the
    rows of a release are redacted, so what is compared with them is too. Else as
    `read_expected_documents`.
    """
    if spec.expected_calls is None:
        return None
    name, data = _read_file(spec.expected_calls, EXPECTED_CALLS, folder)
    lines = list(_read_lines(name, data, _CallsLine, _CALLS_FORM))
    called = [
        [
            ToolCall(id=str(at), name=call.name, arguments=json.dumps(call.arguments))
            for at, call in enumerate(line.calls)
        ]
        for _, line in lines
    ]
    for (number, _), is_redacted in zip(lines, are_redacted(called), strict=True):
        if not is_redacted:
            raise UsageError(
                f"{name}, line {number}: its calls hold personal data. Write them as the release "
                "has them, with the stand-ins of redaction."
            )
    by_trace = {
        line.trace_id: [{"name": call.name, "arguments": call.arguments} for call in calls]
        for (_, line), calls in zip(lines, called, strict=True)
    }
    return Expectations(EXPECTED_CALLS, hashlib.sha256(data).hexdigest(), by_trace)


def _read_file(file: ExpectationFile, key: str, folder: Path) -> tuple[str, bytes]:
    try:
        return file.file, (folder / file.file).read_bytes()
    except OSError as error:
        raise UsageError(
            f"{key}.file: {file.file} cannot be read: {error.strerror or type(error).__name__}."
        ) from None


def _read_lines(
    name: str, data: bytes, form: type[_LineT], explained: str
) -> Iterator[tuple[int, _LineT]]:
    """Yield the lines with their numbers; UsageError for one that is wrong or comes twice."""
    seen = set()
    for number, text in enumerate(data.splitlines(), 1):
        if not text.strip():
            continue
        where = f"{name}, line {number}"
        try:
            line = msgspec.json.decode(text, type=form)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UsageError(f"{where}: {explained}.") from None
        if line.trace_id in seen:
            raise UsageError(f"{where}: this `trace_id` has a line already.")
        seen.add(line.trace_id)
        yield number, line
