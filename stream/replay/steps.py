"""The steps of a replay that a flush does not have, in order; see `stream.failpoints`."""

from enum import StrEnum


class ReplayLabelStep(StrEnum):
    """The steps of staging labels. Each name says what has just happened."""

    TRACES_NOTED = "replay_traces_noted"
    LABELS_STAGED = "replay_labels_staged"


class ReplayStep(StrEnum):
    """The steps of promoting and abandoning. Each name says what has just happened."""

    DECIDED = "decided"
    TRACES_NOTED = "replay_traces_noted"
    AUDIT_COMMITTED = "replay_audit_committed"
    ASIDE_WRITTEN = "replay_aside_written"
    BROUGHT_IN = "replay_brought_in"
    PRIMARY_WRITTEN = "replay_primary_written"
    SWAPPED = "replay_swapped"
    TAKEN_OUT = "replay_taken_out"
    LABELS_FENCED = "replay_labels_fenced"
    LABELS_WRITTEN = "replay_labels_written"
    LABELS_REPLACED = "replay_labels_replaced"
    FILE_REMOVED = "replay_file_removed"
    FILES_REMOVED = "replay_files_removed"
