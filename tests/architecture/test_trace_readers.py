"""Every module that names table ``traces`` is known, and how it takes the rows of a trace."""

import ast

import pytest

from tests.architecture.source import ROOMS, ROOT

IN_FORCE = {
    "batch/drift/duckdb_period.py": "creates the view of the traces in force on DuckDB",
    "batch/drift/period_counts.py": "counts rows of days from the logs; the rest is the view",
    "batch/drift/period_engine.py": "names the view of the traces in force",
    "batch/drift/spark_period.py": "shows the view of the traces in force on Spark",
    "batch/erase/relabel.py": "decides labels by the join, which knows the rule",
    "batch/judge/subjects.py": "judges the view of the traces in force",
    "batch/judge/verdict_feedback.py": "asks which ids are traces of the lake",
    "batch/judge/verdict_import.py": "takes segments from the row that counts",
    "batch/labels/calibrator.py": "reads through BucketEvidence, and the join knows the rule",
    "batch/labels/reconciler.py": "reads through BucketEvidence, and the join knows the rule",
    "batch/engines/spark_traces_in_force.py": "shows the view of the traces in force on Spark",
    "batch/release/sampling/duckdb_engine.py": "registers the view of the traces in force",
    "batch/release/sampling/ibis_engine.py": "asks the view of the traces in force",
    "batch/release/sampling/spark_engine.py": "shows the view of the traces in force on Spark",
    "batch/release/sampling/population.py": "counts the view; resent records are counted as such",
    "batch/reviews/queue_service.py": "leaves traces out that repeat others",
    "goldpan/demo/otel_run.py": "counts the traces in force by mask_in_force",
    "goldpan/cli/release.py": "opens the snapshot for the selection",
    "goldpan/cli/review.py": "shows the context that read_review_contexts chooses",
    "goldpan/replay_labels.py": "decides labels by the join, which knows the rule",
    "lake/trace_views.py": "writes views of the traces in force",
    "stream/label_driver/setup.py": "joins records only; of those the first counts",
}
"""Takes the row in force of each trace (`schemas.trace_in_force`)."""

HIGHEST_REVISION = {
    "assembly/lake_explanation.py": "shows the assembled row of a trace",
    "assembly/stored_traces.py": "compares with the row that was assembled last",
    "batch/trace_assembly/row_check.py": "makes assembled rows again from their spans",
    "batch/trace_assembly/trace_reconciler.py": "assembles again",
    "goldpan/jobs.py": "opens the table for the jobs that assemble",
    "stream/assembly_driver/setup.py": "assembles",
}
"""Takes the assembled row that was written last, whether it is in force or not."""

ALL_ROWS = {
    "batch/compaction.py": "keeps all rows but revisions that later ones have replaced",
    "batch/erase/erasure.py": "erases all rows of a trace",
    "batch/erase/file_matches.py": "keeps the ids of all rows that mention a person",
    "batch/erase/holdings.py": "shows what an erasure would remove",
    "batch/erase/reapply.py": "erases all rows of a trace",
    "batch/erase/removal.py": "erases all rows of a trace",
    "batch/erase/scanner.py": "finds all rows of a trace, and those that repeat it",
    "batch/lake_scan.py": "looks into everything that is stored",
    "batch/lake_scan_records.py": "looks into everything that is stored",
    "batch/retention/plan.py": "every row expires by its own day",
    "batch/retention/run.py": "rows expire by their day, with the revisions they replaced",
    "batch/superseded_rows.py": "finds the revisions that compaction leaves out",
    "goldpan/cli/demo_output.py": "counts stored rows",
    "goldpan/cli/lake_verify.py": "every row is accounted for",
    "goldpan/demo/gated_release.py": "reads a day of records that were sent once",
    "goldpan/demo/outcome.py": "counts stored rows and placeholders in them",
    "goldpan/demo/sent_offsets.py": "reads positions, and no rows",
    "goldpan/key_check.py": "samples pseudonyms",
    "lake/cut.py": "every row is accounted for",
    "lake/verify.py": "every row is accounted for",
}
"""Takes every row that is stored, by coordinates or as a whole."""

NO_ROWS = {
    "batch/release/erasure/erase.py": "fences",
    "batch/release/format/lineage.py": "the name of an input",
    "batch/release/format/manifest.py": "a count in a manifest",
    "batch/release/pages/datasheet.py": "a count, and a word",
    "batch/release/pages/failure_rate.py": "a word",
    "batch/release/pages/gaps.py": "a count, and a word",
    "batch/release/publish/build.py": "fences",
    "batch/release/publish/facts.py": "a count in a manifest",
    "batch/release/sampling/expectations.py": "a count in a manifest",
    "batch/release/sampling/selection.py": "columns of synthetic rows",
    "batch/release/sampling/selection_query.py": "has the rule for Ibis; names a count",
    "goldpan/cli/import_files.py": "a key of its output",
    "goldpan/cli/otel.py": "a key of its output",
    "goldpan/cli/otel_demo_output.py": "a key of its output",
    "goldpan/cli/release_output.py": "a count, and a word",
    "goldpan/cli/replay_output.py": "a word",
    "goldpan/demo/traffic.py": "the seed of made traffic",
    "goldpan/line_redaction.py": "the columns of a record",
    "labels/difference.py": "a count",
    "lake/table_layouts.py": "how the table is encoded",
    "lake/tables.py": "opens tables",
    "lake/tombstones.py": "a key of a tombstone",
    "schemas/arrow.py": "the columns of the table",
    "schemas/columns.py": "the columns of the table",
    "schemas/table_keys.py": "the keys of the table",
    "stream/source_topics.py": "the table of a topic",
}
"""Names the table, or uses the word, without reading a row."""

KNOWN = {**IN_FORCE, **HIGHEST_REVISION, **ALL_ROWS, **NO_ROWS}
_CONSTANTS = frozenset({"PRIMARY_TABLES", "TABLE_OF_KIND", "TRACES_TABLE"})


def _names_the_table(text: str) -> bool:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and node.value == "traces":
            return True
        if isinstance(node, ast.Name) and node.id in _CONSTANTS:
            return True
    return False


def test_each_module_that_names_the_table_is_known() -> None:
    """A new reader of traces has to say here which rows of a trace it takes."""
    found = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if _names_the_table(path.read_text(encoding="utf-8"))
    }
    assert found == KNOWN.keys()


def test_no_module_is_known_twice() -> None:
    """A module takes rows in one way."""
    parts = (IN_FORCE, HIGHEST_REVISION, ALL_ROWS, NO_ROWS)
    assert sum(map(len, parts)) == len(KNOWN)


@pytest.mark.parametrize(
    ("module", "word"),
    [
        ("labels/join_rows.py", "precedence_numbers"),
        ("labels/join_partition.py", "_REPEATS"),
        ("batch/labels/evidence_reader.py", "filter_traces"),
        ("batch/drift/duckdb_period.py", "create_traces_view"),
        ("batch/drift/spark_period.py", "show_traces_in_force"),
        ("batch/engines/spark_traces_in_force.py", "IN_FORCE_ORDER_SQL"),
        ("batch/judge/subjects.py", "create_traces_view"),
        ("batch/release/sampling/duckdb_engine.py", "create_traces_view"),
        ("batch/release/sampling/spark_engine.py", "show_traces_in_force"),
        ("batch/release/sampling/selection_query.py", "in_force("),
        ("batch/reviews/open_items.py", "read_repeating_traces"),
        ("batch/reviews/review_context.py", "choose_in_force"),
        ("batch/traces_in_force_view.py", "in_force_sql"),
        ("lake/trace_views.py", "in_force_sql"),
        ("stream/label_driver/join_tables.py", "ASSEMBLY_SEQUENCE"),
    ],
)
def test_readers_use_the_one_rule(module: str, word: str) -> None:
    """What reads traces for others goes through `schemas.trace_in_force`."""
    assert word in (ROOT / module).read_text(encoding="utf-8")
