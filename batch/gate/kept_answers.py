"""The answers of a kept run, sealed: ``answers.parquet``.

Each answer, redacted, is sealed under a key made from the salt of the release's row. An erasure
that removes the row destroys the salt: the bytes stay as they are, and nobody can open them again.
`batch.gate.answer_erasure` removes answers to the rows of others that name an erased person.

The checksums of a run leave this file out. Each answer proves itself when it is opened.
"""

import hmac
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from batch.gate.side_readings import row_mark
from batch.release.format.commitments import canonical_json
from judges.gate.readings import BASELINE, CANDIDATE, GateSide
from redact.crypto.sealed_bytes import CannotOpenError, open_bytes, seal_bytes
from schemas.errors import FatalError

_PURPOSE: Final = b"goldpan/kept answer"
_SCHEMA: Final = pa.schema(
    [
        pa.field("mark", pa.string(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("sealed", pa.binary(), nullable=False),
    ]
)


class KeptAnswer(NamedTuple):
    """What a side answered to a row, redacted; ``tool_calls`` as JSON values."""

    response: str | None
    tool_calls: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "KeptAnswer":
        """Return what is kept of a redacted answer."""
        return cls(answer["response"], tuple(answer["tool_calls"] or ()))

    def to_bytes(self) -> bytes:
        """Return it as canonical JSON."""
        return canonical_json({"response": self.response, "tool_calls": list(self.tool_calls)})


AnswersOfRows = Mapping[str, KeptAnswer]
"""Answers by the id or by the mark of their row."""


class _SealedAnswer(NamedTuple):
    mark: str
    side: GateSide
    sealed: bytes

    def open(self, digest: str, salt: str) -> KeptAnswer:
        """Return the answer. Raises CannotOpenError."""
        place = _place(digest, self.side, self.mark)
        answer = json.loads(open_bytes(_key(salt), self.sealed, place))
        return KeptAnswer(answer["response"], tuple(answer["tool_calls"]))


@dataclass(frozen=True, slots=True, repr=False)
class SealedAnswers:
    """The sealed answers of a run, as they were read; ``digest`` is that of its inputs.

    ``path`` is for messages.
    """

    digest: str
    path: str
    held: Sequence[_SealedAnswer]

    def open(self, salts: Iterable[str]) -> dict[GateSide, dict[str, KeptAnswer]]:
        """Return the answers to the rows with these salts, by side and mark of the row.

        Raises FatalError if one cannot be opened: the file is damaged.
        """
        by_mark = {row_mark(salt): salt for salt in salts}
        found: dict[GateSide, dict[str, KeptAnswer]] = {}
        for each in self.held:
            if (salt := by_mark.get(each.mark)) is not None:
                found.setdefault(each.side, {})[each.mark] = self._open(each, salt)
        return found

    def without(
        self, salts: Iterable[str], is_erased: Callable[[bytes], bool]
    ) -> tuple["SealedAnswers", int]:
        """Return those that stay, and how many do not; ``is_erased`` is asked of each as JSON.

        Those to rows whose salt is not given cannot be opened by anybody, and stay.
        """
        by_mark = {row_mark(salt): salt for salt in salts}

        def is_gone(each: _SealedAnswer) -> bool:
            salt = by_mark.get(each.mark)
            return salt is not None and is_erased(self._open(each, salt).to_bytes())

        kept = [each for each in self.held if not is_gone(each)]
        return SealedAnswers(self.digest, self.path, kept), len(self.held) - len(kept)

    def encode(self) -> bytes:
        """Return the file."""
        return _encode(self.held)

    def _open(self, each: _SealedAnswer, salt: str) -> KeptAnswer:
        try:
            return each.open(self.digest, salt)
        except CannotOpenError:
            raise damaged_error(self.path) from None


def encode_answers(
    digest: str, salts: Mapping[str, str], sides: Mapping[GateSide, AnswersOfRows]
) -> bytes:
    """Return the answers of both sides as a file, for the run with inputs of this digest.

    ``salts`` and the answers are by trace id. An answer to a row without a salt is left out: the
    row was erased. The same answers give the same bytes.
    """
    held = [
        _SealedAnswer(mark, side, seal_bytes(_key(salt), answer.to_bytes(), place))
        for side in (BASELINE, CANDIDATE)
        for trace_id, answer in sides.get(side, {}).items()
        if (salt := salts.get(trace_id)) is not None
        for mark in (row_mark(salt),)
        for place in (_place(digest, side, mark),)
    ]
    return _encode(sorted(held, key=lambda each: (each.side, each.mark)))


def decode_answers(data: bytes, digest: str, path: str) -> SealedAnswers:
    """Return sealed answers from their file. Raises FatalError if it is damaged."""
    try:
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True).cast(_SCHEMA)
    except (pa.ArrowException, OSError, ValueError):
        raise damaged_error(path) from None
    held = [_SealedAnswer(*row.values()) for row in table.to_pylist()]
    if any(each.side not in (CANDIDATE, BASELINE) for each in held):
        raise damaged_error(path)
    return SealedAnswers(digest, path, held)


def damaged_error(path: str) -> FatalError:
    """Return the error for a file of answers that is not the one that was written."""
    return FatalError(
        f"{path} is damaged: restore it, or remove this file. The run stands without its answers"
    )


def _encode(held: Iterable[_SealedAnswer]) -> bytes:
    rows = [each._asdict() for each in held]
    sink = BytesIO()
    # Sealed bytes do not compress.
    pq.write_table(
        pa.Table.from_pylist(rows, schema=_SCHEMA),
        sink,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
    )
    return sink.getvalue()


def _key(salt: str) -> bytes:
    return hmac.digest(bytes.fromhex(salt), _PURPOSE, "sha256")


def _place(digest: str, side: str, mark: str) -> bytes:
    return f"{digest}/{side}/{mark}".encode()
