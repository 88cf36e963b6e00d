"""The closed list of commands: what each is called, where it is, and what it does in one line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command: the module and function that hold it, and its summary."""

    target: str
    summary: str


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """Commands about one thing. ``default`` is the one that is meant where only options follow.

    With ``bare`` it is also meant where nothing follows, or anything but the name of a member.
    """

    summary: str
    members: Mapping[str, "CatalogEntry"]
    default: str | None = None
    bare: bool = False


CatalogEntry: TypeAlias = CommandEntry | GroupEntry

COMMANDS: Final = GroupEntry(
    "Catch LLM traces and feedback from Kafka, exactly once and without personal data.",
    {
        "demo": CommandEntry(
            "goldpan.cli.demo:demo", "Show the whole way, with an embedded broker."
        ),
        "stream": GroupEntry(
            "The worker: from Kafka topics into the tables of the lake.",
            {
                "run": CommandEntry("goldpan.cli.stream:run", "Run the worker."),
                "replay": CommandEntry(
                    "goldpan.cli.replay:run", "Read a past range again, under another policy."
                ),
                "adopt": CommandEntry(
                    "goldpan.cli.stream:adopt", "Go on with a topic that was made anew."
                ),
            },
        ),
        "replay": GroupEntry(
            "Replays that `stream replay` has staged: compare, then promote or abandon.",
            {
                "list": CommandEntry("goldpan.cli.replay:list_", "List replays and their state."),
                "diff": CommandEntry(
                    "goldpan.cli.replay:diff", "Tell what promoting a replay would change."
                ),
                "promote": CommandEntry(
                    "goldpan.cli.replay:promote", "Put a replay in the place of the live rows."
                ),
                "abandon": CommandEntry("goldpan.cli.replay:abandon", "Remove a replay."),
            },
        ),
        "lake": GroupEntry(
            "The tables: make them, describe them, prove that they are complete.",
            {
                "init": CommandEntry("goldpan.cli.lake:init", "Make the tables that are missing."),
                "upgrade": CommandEntry(
                    "goldpan.cli.lake:upgrade", "Add the columns that older tables lack."
                ),
                "tables": CommandEntry("goldpan.cli.lake:tables", "Describe the tables."),
                "refuse-key": CommandEntry(
                    "goldpan.cli.lake:refuse_key", "Refuse a key for good that was destroyed."
                ),
                "verify": CommandEntry(
                    "goldpan.cli.lake_verify:verify",
                    "Prove that every record up to the positions is there exactly once.",
                ),
                "scan": CommandEntry(
                    "goldpan.cli.lake_scan:scan",
                    "Find what today's policy would replace in what is stored.",
                ),
                "metrics": CommandEntry(
                    "goldpan.cli.lake_metrics:metrics", "Tell the state of the lake as metrics."
                ),
                "compact": CommandEntry(
                    "goldpan.cli.maintenance:compact_", "Make few large files of the small ones."
                ),
                "vacuum": CommandEntry(
                    "goldpan.cli.maintenance:vacuum_",
                    "Remove files that left the tables some time ago.",
                ),
            },
        ),
        "quarantine": GroupEntry(
            "Records that were set aside, and the way back for them.",
            {
                "list": CommandEntry(
                    "goldpan.cli.quarantine:list_", "Count what was set aside, and why."
                ),
                "show": CommandEntry(
                    "goldpan.cli.quarantine:show", "Show records that were set aside."
                ),
                "redrive": CommandEntry(
                    "goldpan.cli.quarantine:redrive", "Try records again, after what was wrong."
                ),
            },
        ),
        "labels": GroupEntry(
            "What traces were worth: what the worker could not know, calibrations, new policies.",
            {
                "reconcile": CommandEntry(
                    "goldpan.cli.labels:reconcile",
                    "Add the label events that the worker could not decide.",
                ),
                "calibrate": CommandEntry(
                    "goldpan.cli.labels:calibrate", "Learn from reviews, as a new calibration."
                ),
                "rebuild": CommandEntry(
                    "goldpan.cli.labels:rebuild",
                    "Decide all labels anew, under a new policy or calibration.",
                ),
            },
        ),
        "review": GroupEntry(
            "The queue of answers that people should judge.",
            {
                "next": CommandEntry(
                    "goldpan.cli.review:next_", "Claim the next items and show them."
                ),
                "submit": CommandEntry("goldpan.cli.review:submit", "Hand in a review, or many."),
                "export": CommandEntry(
                    "goldpan.cli.review:export", "Write all reviews as lines of JSON."
                ),
                "stats": CommandEntry(
                    "goldpan.cli.review:stats", "Tell how long the queue is, and what is late."
                ),
            },
        ),
        "release": GroupEntry(
            "Golden sets: built from the lake by a spec, published once, provable for ever.",
            {
                "build": CommandEntry("goldpan.cli.release:build", "Build and publish a release."),
                "list": CommandEntry(
                    "goldpan.cli.release:list_", "List releases and their versions."
                ),
                "show": CommandEntry("goldpan.cli.release:show", "Show what a release is."),
                "verify": CommandEntry(
                    "goldpan.cli.release:verify", "Prove that a release is as it was published."
                ),
                "pull": CommandEntry(
                    "goldpan.cli.release_pull:pull", "Copy a version into a folder, proved."
                ),
                "diff": CommandEntry("goldpan.cli.release:diff", "Tell how two versions differ."),
                "export": CommandEntry(
                    "goldpan.cli.release:export", "Write a release in the format of another tool."
                ),
                "sign": CommandEntry(
                    "goldpan.cli.release:sign", "Sign a version, as its publisher."
                ),
                "withdraw": CommandEntry("goldpan.cli.release:withdraw", "Withdraw a version."),
            },
        ),
        "erase": GroupEntry(
            "Take persons out of the lake and its releases: `goldpan erase --subject ID`.",
            {
                "run": CommandEntry("goldpan.cli.erase:run", "Erase a person, or many."),
                "list": CommandEntry("goldpan.cli.erase:list_", "List the erasures of this lake."),
                "apply": CommandEntry(
                    "goldpan.cli.erase_apply:apply",
                    "Erase again what was erased since this lake was backed up.",
                ),
                "verify": CommandEntry(
                    "goldpan.cli.erase:verify", "Tell whether a receipt is as it was signed."
                ),
            },
            default="run",
        ),
        "subject": GroupEntry(
            "What is held of a person.",
            {
                "show": CommandEntry(
                    "goldpan.cli.subject:show", "Show what is held of a person, and where."
                ),
            },
        ),
        "retention": GroupEntry(
            "What leaves the lake when its days are over.",
            {
                "run": CommandEntry(
                    "goldpan.cli.retention:run", "Take out what has expired, by a plan."
                ),
            },
        ),
        "drift": CommandEntry(
            "goldpan.cli.drift:drift", "Tell whether production is still what it was."
        ),
        "contract": GroupEntry(
            "What a record must be: for producers, before they send one.",
            {
                "check": CommandEntry(
                    "goldpan.cli.contract:check", "Tell which records would be set aside, and why."
                ),
                "export": CommandEntry(
                    "goldpan.cli.contract:export", "Write the contract in the formats of others."
                ),
            },
        ),
        "redact": GroupEntry(
            "The redaction alone: of files, and measured on your own labels.",
            {
                "run": CommandEntry(
                    "goldpan.cli.redact:redact",
                    "Redact records in files: JSON lines in, JSON lines out.",
                ),
                "check": CommandEntry(
                    "goldpan.cli.redact_check:check",
                    "Measure redaction on lines that you have labelled.",
                ),
            },
            default="run",
            bare=True,
        ),
    },
)
