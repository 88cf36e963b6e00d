"""The names of everything that the worker logs, one name a thing, and what each means.

`docs/operations.md` lists them; a test holds the two together.
"""

from collections.abc import Mapping
from typing import Protocol


class EventLog(Protocol):
    """What the worker needs of a logger (structlog's bound logger fits)."""

    def info(self, event: str, **fields: object) -> None:
        """Log what goes as it should."""

    def warning(self, event: str, **fields: object) -> None:
        """Log what mends itself but may interest a person."""

    def error(self, event: str, **fields: object) -> None:
        """Log what a person must look at."""


WORKER_EVENTS: Mapping[str, str] = {
    "worker_started": "The worker runs; says with which settings, never with secrets.",
    "lake_made": "There was no lake at the address that is set, and a new one was made: is it the "
    "right address?",
    "tables_made": "Tables that were missing in a lake were made.",
    "memory_short": "The worker may take less memory than is advised; says what to set.",
    "partitions_assigned": "Partitions were taken over, with the positions read from the tables.",
    "positions_without_epoch": "The positions of these partitions were written without a leader "
    "epoch: by an earlier version, or after offsets that hold no record. Whether the topic was cut "
    "below them is seen only if it ends below them. From the next flush on they have one.",
    "partitions_revoked": "Partitions were given up after what was read of them had been flushed.",
    "partitions_abandoned": "Partitions were given up with unflushed records; the next owner reads "
    "them again.",
    "flush_committed": "A flush is in the lake: records, files, bytes, seconds.",
    "flush_fenced": "Another worker had moved the table's position; the buffer was dropped.",
    "erasures_applied": "Somebody was erased: their records are kept out from here on, "
    "and what was buffered is read again.",
    "flush_abandoned": "A flush was given up (shutdown or lost partitions); "
    "its records are read again.",
    "step_retried": "A step failed in a way that passes; it is tried again after a wait.",
    "commit_unknown": "A commit got no clear answer; the position will tell whether it landed.",
    "commit_settled": "The position told that a commit had landed already.",
    "offsets_lost": "Kafka had deleted records before they were read; the gap is recorded.",
    "paused": "Reading is paused: memory is short, or a step outside does not answer.",
    "resumed": "Reading goes on.",
    "kafka_error": "The client reports trouble with a broker; it reconnects by itself. Of "
    "each kind one line in 30 s; `repeated` says how many were left out before it.",
    "kafka_client_ended": "The client has ended; a new one is tried, until it gets partitions.",
    "offsets_not_committed": "Kafka did not take the group's offsets; only lag tools need them.",
    "checkpoint_failed": "A checkpoint could not be written; the next one will be tried.",
    "labels_committed": "Label events are in the lake, with the positions of what they rest on.",
    "labels_fenced": "Another worker had moved a position of labels, or a replay or an erasure has "
    "changed what they rest on; the join is read back from the lake.",
    "join_rebuilt": "The join of partitions that were taken over is back from the lake.",
    "join_passed_over": "Records that the join lets go, by why; they are in the lake all the same, "
    "and late ones are left to `goldpan labels reconcile`.",
    "join_window_shortened": "The join took too much memory and waits for a shorter time now.",
    "labels_left_to_batch": "The two topics cannot be joined here; `goldpan labels reconcile` must "
    "decide.",
    "waiting_for_partitions": "This worker's share is in the lake; says in which partitions the "
    "tables are behind the ends that they had at the start, and waits for whoever has them.",
    "caught_up": "Everything that the topics held at the start, in all partitions, is in the lake.",
    "stopping": "A signal asked the worker to stop; it flushes what it holds.",
    "worker_stopped": "The worker has ended in order.",
    "worker_failed": "The worker has ended with an error that a person must mend.",
    "redaction_off": "The policy is `off`: personal data goes to the lake as it comes.",
    "child_restarted": "A worker process died and another was started in its place.",
}
