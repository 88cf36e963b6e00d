"""The list of commands: name, module and one-line summary of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command: its module and function, and its summary."""

    target: str
    summary: str


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A group of commands. ``default`` is the command that runs if only options follow.

    With ``bare`` it also runs if nothing follows, or anything but the name of a member.
    """

    summary: str
    members: Mapping[str, "CatalogEntry"]
    default: str | None = None
    bare: bool = False


CatalogEntry: TypeAlias = CommandEntry | GroupEntry

COMMANDS: Final = GroupEntry(
    "Ingest LLM traces and feedback from Kafka, redacted and exactly once, and build golden sets.",
    {
        "demo": CommandEntry(
            "goldpan.cli.demo:demo", "Run the whole pipeline with an embedded broker."
        ),
        "stream": GroupEntry(
            "Run the worker, replay a range, adopt a recreated topic.",
            {
                "run": CommandEntry("goldpan.cli.stream:run", "Run the worker."),
                "replay": CommandEntry(
                    "goldpan.cli.replay:run", "Read a past range again, under another policy."
                ),
                "adopt": CommandEntry(
                    "goldpan.cli.stream:adopt",
                    "Continue with a topic that was deleted and recreated.",
                ),
            },
        ),
        "replay": GroupEntry(
            "Compare staged replays, then promote or abandon them.",
            {
                "list": CommandEntry("goldpan.cli.replay:list_", "List replays and their state."),
                "diff": CommandEntry(
                    "goldpan.cli.replay:diff", "Show what promoting a replay would change."
                ),
                "promote": CommandEntry(
                    "goldpan.cli.replay:promote", "Replace the live rows with those of a replay."
                ),
                "abandon": CommandEntry("goldpan.cli.replay:abandon", "Remove a replay."),
            },
        ),
        "lake": GroupEntry(
            "Create, describe, verify and maintain the tables.",
            {
                "init": CommandEntry(
                    "goldpan.cli.lake:init", "Create the tables that are missing."
                ),
                "upgrade": CommandEntry(
                    "goldpan.cli.lake:upgrade", "Add the columns that older tables lack."
                ),
                "tables": CommandEntry("goldpan.cli.lake:tables", "Describe the tables."),
                "refuse-key": CommandEntry(
                    "goldpan.cli.lake:refuse_key", "Refuse a destroyed key from now on."
                ),
                "verify": CommandEntry(
                    "goldpan.cli.lake_verify:verify",
                    "Prove that every record is in the lake exactly once.",
                ),
                "scan": CommandEntry(
                    "goldpan.cli.lake_scan:scan",
                    "Find stored personal data that today's policy would replace.",
                ),
                "views": CommandEntry(
                    "goldpan.cli.lake_views:views",
                    "Write SQL for views of spans and traces.",
                ),
                "ddl": CommandEntry(
                    "goldpan.cli.lake_ddl:ddl", "Write SQL that shows the lake in a warehouse."
                ),
                "metrics": CommandEntry(
                    "goldpan.cli.lake_metrics:metrics",
                    "Print metrics of tables, releases and drift.",
                ),
                "compact": CommandEntry(
                    "goldpan.cli.maintenance:compact_", "Merge small files into large ones."
                ),
                "vacuum": CommandEntry(
                    "goldpan.cli.maintenance:vacuum_",
                    "Delete files that are no longer part of the tables.",
                ),
            },
        ),
        "quarantine": GroupEntry(
            "Show quarantined records, and retry them.",
            {
                "list": CommandEntry(
                    "goldpan.cli.quarantine:list_", "Count quarantined records by reason."
                ),
                "show": CommandEntry(
                    "goldpan.cli.quarantine:show",
                    "Show quarantined records, without their content.",
                ),
                "redrive": CommandEntry(
                    "goldpan.cli.quarantine:redrive",
                    "Retry quarantined records once the cause is fixed.",
                ),
            },
        ),
        "labels": GroupEntry(
            "Complete, calibrate and recompute labels.",
            {
                "reconcile": CommandEntry(
                    "goldpan.cli.labels:reconcile",
                    "Add label events that the worker could not decide.",
                ),
                "calibrate": CommandEntry(
                    "goldpan.cli.labels:calibrate", "Fit a new calibration from reviews."
                ),
                "rebuild": CommandEntry(
                    "goldpan.cli.labels:rebuild",
                    "Recompute all labels under a new policy or calibration.",
                ),
            },
        ),
        "review": GroupEntry(
            "Work on the queue of answers to review.",
            {
                "next": CommandEntry(
                    "goldpan.cli.review:next_", "Claim the next items and show them."
                ),
                "submit": CommandEntry("goldpan.cli.review:submit", "Submit one or more reviews."),
                "export": CommandEntry(
                    "goldpan.cli.review:export", "Write all reviews as JSON lines."
                ),
                "stats": CommandEntry(
                    "goldpan.cli.review:stats", "Show queue length, late items and agreement."
                ),
            },
        ),
        "judge": GroupEntry(
            "Judge answers, and measure how far a judge agrees with reviewers.",
            {
                "check": CommandEntry(
                    "goldpan.cli.judge:check",
                    "Check a judge's file, and show what it would ask and cost.",
                ),
                "run": CommandEntry("goldpan.cli.judge:run", "Judge rows, each once."),
                "agreement": CommandEntry(
                    "goldpan.cli.judge:agreement", "Compare judges with reviewers."
                ),
                "metrics": CommandEntry(
                    "goldpan.cli.judge_metrics:metrics",
                    "Measure answers by layer: retrieval, generation, agent, operations.",
                ),
                "import": CommandEntry(
                    "goldpan.cli.judge:import_", "Take in verdicts of another evaluation."
                ),
                "export": CommandEntry(
                    "goldpan.cli.judge_export:export", "Write judgements for other tools."
                ),
            },
        ),
        "candidate": GroupEntry(
            "Run candidates for a gate.",
            {
                "run": CommandEntry(
                    "goldpan.cli.candidate:run", "Run a model over the rows of a release."
                ),
            },
        ),
        "gate": CommandEntry(
            "goldpan.cli.gate:gate", "Decide whether a candidate ships: ship, block, or not yet."
        ),
        "evaluation": GroupEntry(
            "List, show and export the kept runs of gates.",
            {
                "list": CommandEntry(
                    "goldpan.cli.evaluation:list_", "List kept runs, with what each decided."
                ),
                "show": CommandEntry(
                    "goldpan.cli.evaluation:show",
                    "Show a kept run, and what was answered.",
                ),
                "export": CommandEntry(
                    "goldpan.cli.evaluation_export:export", "Write a kept run for another tool."
                ),
            },
        ),
        "release": GroupEntry(
            "Build, publish and verify golden sets.",
            {
                "build": CommandEntry(
                    "goldpan.cli.release:build", "Build a release from a spec and publish it."
                ),
                "list": CommandEntry(
                    "goldpan.cli.release:list_", "List releases and their versions."
                ),
                "show": CommandEntry(
                    "goldpan.cli.release:show", "Show rows, strata and origin of a release."
                ),
                "verify": CommandEntry(
                    "goldpan.cli.release:verify",
                    "Prove that a release is unchanged since publication.",
                ),
                "pull": CommandEntry(
                    "goldpan.cli.release_pull:pull", "Copy a version into a folder and verify it."
                ),
                "diff": CommandEntry("goldpan.cli.release:diff", "Compare two versions."),
                "export": CommandEntry(
                    "goldpan.cli.release:export", "Convert a release to the format of another tool."
                ),
                "sign": CommandEntry("goldpan.cli.release:sign", "Sign a published version."),
                "withdraw": CommandEntry("goldpan.cli.release:withdraw", "Withdraw a version."),
            },
        ),
        "erase": GroupEntry(
            "Erase persons from the lake and its releases.",
            {
                "run": CommandEntry("goldpan.cli.erase:run", "Erase one or more persons."),
                "list": CommandEntry("goldpan.cli.erase:list_", "List the erasures of this lake."),
                "apply": CommandEntry(
                    "goldpan.cli.erase_apply:apply",
                    "Repeat erasures made after this lake was backed up.",
                ),
                "verify": CommandEntry(
                    "goldpan.cli.erase:verify", "Verify the signature of a receipt."
                ),
            },
            default="run",
        ),
        "subject": GroupEntry(
            "Show the data of a person.",
            {
                "show": CommandEntry(
                    "goldpan.cli.subject:show", "Show which data of a person is stored, and where."
                ),
            },
        ),
        "retention": GroupEntry(
            "Delete what is older than the retention plan allows.",
            {
                "run": CommandEntry(
                    "goldpan.cli.retention:run", "Delete what has expired under a plan."
                ),
            },
        ),
        "drift": CommandEntry("goldpan.cli.drift:drift", "Detect drift in production traffic."),
        "import": CommandEntry(
            "goldpan.cli.import_files:import_", "Take exports of a tracing product into the lake."
        ),
        "otel": GroupEntry(
            "Explain what becomes of OpenTelemetry traces.",
            {
                "explain": CommandEntry(
                    "goldpan.cli.otel:explain",
                    "Show which field of a trace comes from where.",
                ),
                "reconcile": CommandEntry(
                    "goldpan.cli.otel_reconcile:reconcile",
                    "Assemble traces from all their spans, late ones included.",
                ),
            },
        ),
        "contract": GroupEntry(
            "Check records against the contract before sending them.",
            {
                "check": CommandEntry(
                    "goldpan.cli.contract:check",
                    "Show which records would be quarantined, and why.",
                ),
                "export": CommandEntry(
                    "goldpan.cli.contract:export",
                    "Write the contract as Avro, JSON Schema or ODCS.",
                ),
            },
        ),
        "redact": GroupEntry(
            "Redact files, or measure redaction on labelled lines.",
            {
                "run": CommandEntry(
                    "goldpan.cli.redact:redact",
                    "Redact JSON lines from files or standard input.",
                ),
                "check": CommandEntry(
                    "goldpan.cli.redact_check:check",
                    "Measure redaction on lines that you labelled.",
                ),
            },
            default="run",
            bare=True,
        ),
    },
)
