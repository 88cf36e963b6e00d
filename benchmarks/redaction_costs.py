"""Measures the version of redaction that a process has loaded, for `benchmarks.redaction`.

Every time is CPU time. This module needs only `redact` and `schemas` of that version, so that it
also measures earlier ones.
"""

import gc
import hashlib
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

import msgspec

from benchmarks.reference_detector import ReferenceDetector
from benchmarks.versions import serve
from redact.crypto.keys import Keys
from redact.pipeline.audit import build_audit_rows
from redact.pipeline.field_walker import FieldWalker
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import RedactionPolicy, load_policy
from redact.recognition.accelerated_detector import AcceleratedDetector
from redact.recognition.catalogue import build_recognisers
from schemas.columns import record_batch
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from schemas.records import Trace

NOW: Final = 1_760_000_000_000_000
KEYS: Final = Keys.derive(bytes(32))
BATCH: Final = 500
THRESHOLD: Final = 0.4
COLLECTOR_THRESHOLD: Final = 50_000
"""That of the worker, in all versions."""

COLLECT, ANALYSE, RENDER, AUDIT = "collect texts", "analyse", "render and scan", "audit rows"
STAGES: Final = (COLLECT, ANALYSE, RENDER, AUDIT)

TraceFields = dict[str, Any]


def policy(model: str = "none") -> RedactionPolicy:
    """Return the default policy, with or without the model for names."""
    strict = load_policy("strict")
    return strict.model_copy(update={"names": strict.names.model_copy(update={"model": model})})


def timed(action: Callable[[], object]) -> float:
    """Return the CPU seconds that an action takes."""
    begin = time.process_time()
    action()
    return time.process_time() - begin


def texts_of(trace: TraceFields) -> Iterator[str]:
    """Yield the texts of a trace that are redacted."""
    for message in trace["messages"]:
        if message.get("content"):
            yield message["content"]
        for call in message.get("tool_calls", ()):
            yield call["arguments"]
    if trace.get("response"):
        yield trace["response"]


def batches(traces: Sequence[TraceFields]) -> list[DecodedBatch[Any]]:
    """Return traces as the decoder returns them."""
    return [_batch(traces[start : start + BATCH]) for start in range(0, len(traces), BATCH)]


def _batch(part: Sequence[TraceFields]) -> DecodedBatch[Any]:
    rows = range(len(part))
    records = [msgspec.convert(trace, Trace) for trace in part]
    raws = [RawRecord(0, row, -1, None, b"") for row in rows]
    zeros, schemas = [0] * len(part), ["x"] * len(part)
    return DecodedBatch(RecordKind.TRACE, "t", records, zeros, list(rows), schemas, raws)


def audited(redactor: PolicyRedactor, batch: DecodedBatch[Any]) -> None:
    """Redact a batch and make the rows of its audit, as the worker does."""
    outcome = redactor.redact(batch, ingested_at=NOW)
    if outcome.audit:
        build_audit_rows(outcome.audit, policy=redactor.policy_hash, ingested_at=NOW, previous="")


def audit_all(redactor: PolicyRedactor, work: Sequence[DecodedBatch[Any]]) -> None:
    """Redact batches and make the rows of their audit."""
    for batch in work:
        audited(redactor, batch)


def added_seconds(redactor: PolicyRedactor, work: Sequence[DecodedBatch[Any]]) -> float:
    """Return the CPU seconds of some batches with their audit, less those of making their rows."""
    gc.freeze()  # a worker holds a few batches, not all of this
    columns = timed(lambda: [record_batch(b.kind, b, ingested_at=NOW, policy="p") for b in work])
    return timed(lambda: audit_all(redactor, work)) - columns


def stage_seconds(redactor: PolicyRedactor, traces: Sequence[TraceFields]) -> Mapping[str, float]:
    """Return the CPU seconds of each stage, for records that the redactor has not seen.

    Segments that were analysed before are not analysed again, so the stages can be told apart
    from outside: a compiled class lets nobody replace its methods.
    """
    gc.freeze()
    spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def clock(name: str) -> Iterator[None]:
        begin = time.process_time()
        yield
        spent[name] += time.process_time() - begin

    collect = partial(redactor._collect, redacted_before=False)  # the stage itself
    for batch in batches(traces):
        walker = FieldWalker(batch.kind.value)
        with clock(COLLECT):
            drafts = [collect(walker, record).draft for record in batch.records]
        segments = [segment for draft in drafts for segment in draft.segments]
        with clock(ANALYSE):
            redactor.segmenter.analyse(segments)
        with clock("known"):
            redactor.segmenter.analyse(segments)
        with clock("all"):
            audit = redactor.in_place(batch).audit
        with clock(AUDIT):
            build_audit_rows(audit, policy=redactor.policy_hash, ingested_at=NOW, previous="")
    spent[RENDER] = spent.pop("all") - spent.pop("known") - spent[COLLECT]  # it does these as well
    return spent


class Outcomes(NamedTuple):
    """What becomes of records: hashes of the stored rows, the refusals and the audit, and counts.

    ``policy`` is the hash in the column `_policy` of each row.
    """

    policy: str
    rows: str
    refusals: str
    audit: str
    passed: int
    refused: int


def outcomes(redactor: PolicyRedactor, traces: Sequence[TraceFields]) -> Outcomes:
    """Redact records, and hash everything that becomes of them."""
    rows: list[object] = []
    refusals: list[object] = []
    audit: list[object] = []
    for batch in batches(traces):
        outcome = redactor.redact(batch, ingested_at=NOW)
        chained, _ = build_audit_rows(
            outcome.audit, policy=redactor.policy_hash, ingested_at=NOW, previous=""
        )
        rows += outcome.rows.value.to_pylist()
        refusals += outcome.rejected
        audit += [*outcome.audit, *chained.value.to_pylist()]
    return Outcomes(
        redactor.policy_hash,
        _hash_of(rows),
        _hash_of(refusals),
        _hash_of(audit),
        len(rows),
        len(refusals),
    )


def _hash_of(values: Iterable[object]) -> str:
    digest = hashlib.sha256()
    for value in values:
        digest.update(repr(value).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


class StockComparison:
    """Compares with stock Presidio and the same recognisers, one conversation after another.

    Expressions are compiled when a text first needs them. That is the start and not the speed, so
    each text is first read by detectors of which nothing is measured.
    """

    def __init__(self) -> None:
        recognisers = build_recognisers(policy())
        self._stock = ReferenceDetector(recognisers, threshold=THRESHOLD)
        self._begun, self._fast = (
            AcceleratedDetector(recognisers, threshold=THRESHOLD, seconds=60) for _ in range(2)
        )
        self._begun_redactor, self._redactor = (PolicyRedactor(policy(), KEYS) for _ in range(2))
        self._seen: set[str] = set()

    def compare(self, traces: Sequence[TraceFields]) -> Mapping[str, float]:
        """Return the CPU seconds of a conversation's traces, each with its history.

        `stock` and `fast` are for the distinct texts that no conversation had before, `whole` is
        redaction of the traces.
        """
        texts = [text for trace in traces for text in texts_of(trace)]
        distinct = [text for text in dict.fromkeys(texts) if text not in self._seen]
        self._seen.update(distinct)
        differ = sum(self._stock.find(text) != self._begun.find(text) for text in distinct)
        stock = timed(lambda: [self._stock.find(text) for text in distinct])
        fast = timed(lambda: [self._fast.find(text) for text in distinct])
        audit_all(self._begun_redactor, batches(traces))
        work = batches(traces)
        whole = timed(lambda: audit_all(self._redactor, work))
        return {
            "texts": len(distinct),
            "differ": differ,
            "characters": sum(map(len, texts)),
            "distinct_characters": sum(map(len, distinct)),
            "stock": stock,
            "fast": fast,
            "whole": whole,
        }


def loaded_modules() -> tuple[int, int]:
    """Return how many modules of redaction this process has loaded: compiled, and all."""
    files = [
        module.__file__ or ""
        for name, module in sys.modules.items()
        if name.partition(".")[0] == "redact"
    ]
    return sum(not file.endswith(".py") for file in files), len(files)


@lru_cache
def _redactor(case: str, model: str) -> PolicyRedactor:
    """Return the redactor of a case, with its caches."""
    del case
    return PolicyRedactor(policy(model), KEYS, audit=True)


@lru_cache
def _comparison() -> StockComparison:
    return StockComparison()


def _added(case: str, model: str, traces: list[TraceFields]) -> float:
    return added_seconds(_redactor(case, model), batches(traces))


def _stages(case: str, model: str, traces: list[TraceFields]) -> Mapping[str, float]:
    return stage_seconds(_redactor(case, model), traces)


def _outcomes(case: str, model: str, traces: list[TraceFields]) -> Outcomes:
    return outcomes(_redactor(case, model), traces)


def _stock(traces: list[TraceFields]) -> Mapping[str, float]:
    return _comparison().compare(traces)


_REQUESTS: Final[Mapping[str, Callable[..., Any]]] = {
    "added": _added,
    "stages": _stages,
    "outcomes": _outcomes,
    "stock": _stock,
    "modules": loaded_modules,
}


def answer(request: str, *arguments: Any) -> Any:
    """Return the answer to a request of `benchmarks.redaction`."""
    return _REQUESTS[request](*arguments)


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(COLLECTOR_THRESHOLD)
    serve(answer)
