"""Runs all benchmarks whose numbers are in the docs, each in its own process.

python -m benchmarks            all of them
python -m benchmarks worker     one of them, followed by its own options (see its --help)
"""

import subprocess
import sys

ALL = (
    ("worker", "the worker compared with bare consuming, the plain loop, and Presidio in it"),
    ("scaling", "one worker process compared with two"),
    ("startup", "the CPU time of a worker's start, with and without kept expressions"),
    ("recovery", "the time until the partitions of a killed worker are committed again"),
    ("decoding", "the cost of decoding a record, by wire format"),
    ("otel_spans", "the path of an OpenTelemetry span compared with bare parsing"),
    ("assembly_growth", "assembling traces, by spans a trace and by open traces"),
    ("commits", "requests and CPU time of a commit, by partitions and versions"),
    ("commit_conflicts", "1 to 200 workers that commit to one table: simulated, and real ones"),
    ("memory", "peak memory by partitions and records"),
    ("redaction", "redaction by build and stage, an earlier version, and stock Presidio"),
    ("harmless", "what redaction changes in traffic without names"),
    ("erasure_filter", "the cost per record of keeping out erased persons"),
    ("erasure", "erasing a person from a million traces"),
    ("ner_speed", "the cost of finding names"),
    ("labels_join", "the join of traces and feedback: throughput, state, rebuild"),
    ("labels_worker", "the cost of labels in the worker, and the time to rebuild the join"),
    ("labels_quality", "labels from simulated signals compared with the truth"),
    ("judge_offline", "checks and the local judge: traces a second"),
    ("judge_runner", "a judge's runner over a lake: CPU time a judgement, and memory"),
    ("judge_correction", "intervals from few reviews and a judge, compared with the truth"),
    ("release", "a release from a growing lake, and compaction compared with pyarrow"),
    ("drift", "comparing five weeks: time and memory as the lake grows"),
    ("formats", "the same traces as JSON lines and as Parquet in Delta: size, scans, erasure"),
    ("labels_reconcile", "the batch join over a lake: time and memory as it grows"),
)


def main() -> int:
    """Run the requested benchmarks; return the first exit code that is not 0."""
    name, *options = sys.argv[1:] or [""]
    chosen = [known for known, _ in ALL if name in {known, ""}]
    if not chosen:
        known = "\n".join(f"  {known:<18}{what}" for known, what in ALL)
        print(f"there is no benchmark {name}; choose one of\n{known}", file=sys.stderr)
        return 2
    for module in chosen:
        print(f"== {module}", flush=True)
        code = subprocess.call([sys.executable, "-m", f"benchmarks.{module}", *options])
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
