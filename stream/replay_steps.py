"""The steps of promoting and abandoning a replay, in their order; see `stream.failpoints`."""

from enum import StrEnum


class ReplayStep(StrEnum):
    """Each name says what has just happened."""

    DECIDED = "decided"
    AUDIT_COMMITTED = "replay_audit_committed"
    ASIDE_WRITTEN = "replay_aside_written"
    BROUGHT_IN = "replay_brought_in"
    PRIMARY_WRITTEN = "replay_primary_written"
    SWAPPED = "replay_swapped"
    TAKEN_OUT = "replay_taken_out"
    FILE_REMOVED = "replay_file_removed"
    FILES_REMOVED = "replay_files_removed"
