"""The names and meanings of all events that the worker logs.

`docs/operations.md` lists them; a test keeps the two in step.
"""

from collections.abc import Mapping
from typing import Protocol


class EventLog(Protocol):
    """The part of a logger that the worker uses (structlog's bound logger fits)."""

    def info(self, event: str, **fields: object) -> None:
        """Log normal operation."""

    def warning(self, event: str, **fields: object) -> None:
        """Log a transient fault that an operator may want to know of."""

    def error(self, event: str, **fields: object) -> None:
        """Log a fault that an operator must look at."""


WORKER_EVENTS: Mapping[str, str] = {
    "worker_started": "The worker runs; shows its settings, never secrets.",
    "lake_made": "There was no lake at the configured address, so a new one was created: check the "
    "address.",
    "tables_made": "Missing tables of a lake were created.",
    "memory_short": "The worker may use less memory than recommended; says what to set.",
    "partitions_assigned": "Partitions were taken over, at the positions in the tables.",
    "positions_without_epoch": "The positions of these partitions have no leader epoch: they were "
    "written by an earlier version, or after offsets without a record. A truncation below them is "
    "detected only if the topic ends below them. The next flush adds an epoch.",
    "partitions_revoked": "Partitions were given up after their records had been flushed.",
    "partitions_abandoned": "Partitions were given up with unflushed records; the next owner "
    "re-reads them.",
    "flush_committed": "A flush is in the lake: records, files, bytes, seconds.",
    "flush_fenced": "Another worker moved the table's position first; the buffer was dropped.",
    "erasures_applied": "A person was erased: their records are left out from now on, "
    "and buffered records are re-read.",
    "flush_abandoned": "A flush was given up (shutdown or lost partitions); "
    "its records are re-read.",
    "step_retried": "A step failed temporarily; it is retried after a wait.",
    "commit_unknown": "A commit got no clear answer; the position will show whether it landed.",
    "commit_settled": "The position showed that a commit had landed already.",
    "offsets_lost": "Kafka deleted records before they were read; the gap is recorded.",
    "paused": "Reading is paused: memory is short, or an external step is unavailable.",
    "resumed": "Reading continues.",
    "kafka_error": "The client reports trouble with a broker; it reconnects by itself. One "
    "line per kind in 30 s; `repeated` counts the lines left out before it.",
    "kafka_client_ended": "The client has ended; a new one is tried until it gets partitions.",
    "offsets_not_committed": "Kafka did not accept the group's offsets; only lag tools need them.",
    "checkpoint_failed": "A checkpoint could not be written; the next one is tried when it is due.",
    "labels_committed": "Label events are in the lake, with the positions of their evidence.",
    "labels_fenced": "Another worker moved a position of labels first, or a replay or an erasure "
    "changed their evidence; the join is rebuilt from the lake.",
    "join_rebuilt": "The join of partitions that were taken over was rebuilt from the lake.",
    "join_passed_over": "Records that the join does not use, by reason. They are in the lake; "
    "`goldpan labels reconcile` handles late ones.",
    "join_window_shortened": "The join used too much memory; its window is shorter now.",
    "labels_left_to_batch": "The two topics cannot be joined here; use `goldpan labels reconcile`.",
    "traces_assembled": "Traces were assembled from their spans: how many rows are new, revised "
    "or unchanged, and how many traces have no row.",
    "rows_refused": "Assembled rows were not written: they break a rule of the contract, or could "
    "not be redacted. Says the reason, and names traces by a hash; see [refused rows]"
    "(#refused-rows).",
    "assembly_rebuilt": "The state of the assembly was read back from the lake: at the start, "
    "after a rebalance, or because another worker or an erasure came first.",
    "feedback_resolved": "Feedback of products became records of `feedback`; says how much waits "
    "for its trace, how much was left to `goldpan otel reconcile`, and what was refused, by "
    "reason.",
    "no_content_exported": "An application exports no messages and no answers; says which of its "
    "settings turns that on.",
    "waiting_for_partitions": "This worker's share is in the lake. It shows which partitions are "
    "behind their ends at the start, and waits for the workers that own them.",
    "caught_up": "All records that the topics held at the start are in the lake.",
    "stopping": "A signal asked the worker to stop; it flushes its buffers.",
    "worker_stopped": "The worker has stopped cleanly.",
    "worker_failed": "The worker has ended with an error that an operator must fix.",
    "redaction_off": "The policy is `off`: personal data enters the lake unredacted.",
    "expressions_not_kept": "Compiled expressions could not be written to the cache folder; the "
    "next start compiles them again.",
    "child_restarted": "A worker process died and was replaced.",
}
