"""The closed list of commands: what each is called, where it is, and what it does in one line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Command:
    """A command: the module and function that hold it, and its summary."""

    target: str
    summary: str


@dataclass(frozen=True, slots=True)
class Group:
    """Commands about one thing. ``default`` is the one that is meant where only options follow.

    With ``bare`` it is also meant where nothing follows, or anything but the name of a member.
    """

    summary: str
    members: Mapping[str, "Member"]
    default: str | None = None
    bare: bool = False


Member: TypeAlias = Command | Group

COMMANDS: Final = Group(
    "Catch LLM traces and feedback from Kafka, exactly once and without personal data.",
    {
        "demo": Command("goldpan.cli.demo:demo", "Show the whole way, with an embedded broker."),
        "stream": Group(
            "The worker: from Kafka topics into the tables of the lake.",
            {
                "run": Command("goldpan.cli.stream:run", "Run the worker."),
                "replay": Command(
                    "goldpan.cli.replay:run", "Read a past range again, under another policy."
                ),
                "adopt": Command(
                    "goldpan.cli.stream:adopt", "Go on with a topic that was made anew."
                ),
            },
        ),
        "replay": Group(
            "Replays that `stream replay` has staged: compare, then promote or abandon.",
            {
                "list": Command("goldpan.cli.replay:list_", "List replays and their state."),
                "diff": Command(
                    "goldpan.cli.replay:diff", "Tell what promoting a replay would change."
                ),
                "promote": Command(
                    "goldpan.cli.replay:promote", "Put a replay in the place of the live rows."
                ),
                "abandon": Command("goldpan.cli.replay:abandon", "Remove a replay."),
            },
        ),
        "lake": Group(
            "The tables: make them, describe them, prove that they are complete.",
            {
                "init": Command("goldpan.cli.lake:init", "Make the tables that are missing."),
                "upgrade": Command(
                    "goldpan.cli.lake:upgrade", "Add the columns that older tables lack."
                ),
                "tables": Command("goldpan.cli.lake:tables", "Describe the tables."),
                "refuse-key": Command(
                    "goldpan.cli.lake:refuse_key", "Refuse a key for good that was destroyed."
                ),
                "verify": Command(
                    "goldpan.cli.lake_verify:verify",
                    "Prove that every record up to the positions is there exactly once.",
                ),
                "scan": Command(
                    "goldpan.cli.lake_scan:scan",
                    "Find what today's policy would replace in what is stored.",
                ),
                "metrics": Command(
                    "goldpan.cli.lake_metrics:metrics", "Tell the state of the lake as metrics."
                ),
                "compact": Command(
                    "goldpan.cli.upkeep:compact_", "Make few large files of the small ones."
                ),
                "vacuum": Command(
                    "goldpan.cli.upkeep:vacuum_", "Remove files that left the tables some time ago."
                ),
            },
        ),
        "quarantine": Group(
            "Records that were set aside, and the way back for them.",
            {
                "list": Command(
                    "goldpan.cli.quarantine:list_", "Count what was set aside, and why."
                ),
                "show": Command("goldpan.cli.quarantine:show", "Show records that were set aside."),
                "redrive": Command(
                    "goldpan.cli.quarantine:redrive", "Try records again, after what was wrong."
                ),
            },
        ),
        "labels": Group(
            "What traces were worth: what the worker could not know, calibrations, new policies.",
            {
                "reconcile": Command(
                    "goldpan.cli.labels:reconcile",
                    "Add the label events that the worker could not decide.",
                ),
                "calibrate": Command(
                    "goldpan.cli.labels:calibrate", "Learn from reviews, as a new calibration."
                ),
                "rebuild": Command(
                    "goldpan.cli.labels:rebuild",
                    "Decide all labels anew, under a new policy or calibration.",
                ),
            },
        ),
        "review": Group(
            "The queue of answers that people should judge.",
            {
                "next": Command("goldpan.cli.review:next_", "Claim the next items and show them."),
                "submit": Command("goldpan.cli.review:submit", "Hand in a review, or many."),
                "export": Command(
                    "goldpan.cli.review:export", "Write all reviews as lines of JSON."
                ),
                "stats": Command(
                    "goldpan.cli.review:stats", "Tell how long the queue is, and what is late."
                ),
            },
        ),
        "release": Group(
            "Golden sets: built from the lake by a spec, published once, provable for ever.",
            {
                "build": Command("goldpan.cli.release:build", "Build and publish a release."),
                "list": Command("goldpan.cli.release:list_", "List releases and their versions."),
                "show": Command("goldpan.cli.release:show", "Show what a release is."),
                "verify": Command(
                    "goldpan.cli.release:verify", "Prove that a release is as it was published."
                ),
                "pull": Command(
                    "goldpan.cli.release_pull:pull", "Copy a version into a folder, proved."
                ),
                "diff": Command("goldpan.cli.release:diff", "Tell how two versions differ."),
                "export": Command(
                    "goldpan.cli.release:export", "Write a release in the format of another tool."
                ),
                "sign": Command("goldpan.cli.release:sign", "Sign a version, as its publisher."),
                "withdraw": Command("goldpan.cli.release:withdraw", "Withdraw a version."),
            },
        ),
        "erase": Group(
            "Take persons out of the lake and its releases: `goldpan erase --subject ID`.",
            {
                "run": Command("goldpan.cli.erase:run", "Erase a person, or many."),
                "list": Command("goldpan.cli.erase:list_", "List the erasures of this lake."),
                "apply": Command(
                    "goldpan.cli.erase_apply:apply",
                    "Erase again what was erased since this lake was backed up.",
                ),
                "verify": Command(
                    "goldpan.cli.erase:verify", "Tell whether a receipt is as it was signed."
                ),
            },
            default="run",
        ),
        "subject": Group(
            "What is held of a person.",
            {
                "show": Command(
                    "goldpan.cli.subject:show", "Show what is held of a person, and where."
                ),
            },
        ),
        "retention": Group(
            "What leaves the lake when its days are over.",
            {
                "run": Command(
                    "goldpan.cli.retention:run", "Take out what has expired, by a plan."
                ),
            },
        ),
        "drift": Command(
            "goldpan.cli.drift:drift", "Tell whether production is still what it was."
        ),
        "contract": Group(
            "What a record must be: for producers, before they send one.",
            {
                "check": Command(
                    "goldpan.cli.contract:check", "Tell which records would be set aside, and why."
                ),
                "export": Command(
                    "goldpan.cli.contract:export", "Write the contract in the formats of others."
                ),
            },
        ),
        "redact": Group(
            "The redaction alone: of files, and measured on your own labels.",
            {
                "run": Command(
                    "goldpan.cli.redact:redact",
                    "Redact records in files: JSON lines in, JSON lines out.",
                ),
                "check": Command(
                    "goldpan.cli.redact_check:check",
                    "Measure redaction on lines that you have labelled.",
                ),
            },
            default="run",
            bare=True,
        ),
    },
)
