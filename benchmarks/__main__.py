"""All benchmarks behind the numbers in the docs, one after the other, each in a process of its own.

python -m benchmarks            all of them
python -m benchmarks worker     one, with its own options behind it (see its --help)
"""

import subprocess
import sys

ALL = (
    ("worker", "the worker without redaction against bare consuming and the plain loop"),
    ("scaling", "one worker process against two"),
    ("decoding", "what it costs to read a record, by wire format"),
    ("commits", "requests and CPU of a commit, by partitions and versions"),
    ("memory", "peak memory by partitions and records"),
    ("redaction", "redaction against stock Presidio, and in the worker"),
    ("harmless", "what redaction changes in traffic that names nobody"),
    ("kept_out", "what keeping out erased persons costs a record"),
    ("erasure", "erasing a person from a million traces"),
    ("ner_speed", "the cost of finding names"),
    ("labels_join", "the join of traces and feedback: throughput, state, rebuild"),
    ("labels_worker", "what labels cost the worker, and how long it reads the join back"),
    ("labels_quality", "labels from simulated signals against the truth"),
    ("release", "a release out of a growing lake, and compaction against pyarrow"),
    ("drift", "the comparison of five weeks: time and memory as the lake grows"),
    ("formats", "the same traces as JSON lines and as Parquet in Delta: size, scans, erasure"),
    ("labels_reconcile", "the batch join over a lake: time and memory as it grows"),
)


def main() -> int:
    """Run what is asked for; return the first exit code that is not 0."""
    name, *options = sys.argv[1:] or [""]
    chosen = [known for known, _ in ALL if name in {known, ""}]
    if not chosen:
        known = "\n".join(f"  {known:<18}{what}" for known, what in ALL)
        print(f"there is no benchmark {name}; there are\n{known}", file=sys.stderr)
        return 2
    for module in chosen:
        print(f"== {module}", flush=True)
        code = subprocess.call([sys.executable, "-m", f"benchmarks.{module}", *options])
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
