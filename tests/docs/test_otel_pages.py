"""The pages `docs/otel/*.md`, one for each product: imports run, endpoints are the Collector's.

The settings of langfuse.md, langsmith.md and mlflow.md also run with the products' SDKs and a real
Collector, in `tests/e2e/test_otel_collector.py`.
"""

import gzip
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from goldpan.cli.main import run_command
from tests.docs.pages import code_blocks, read_page
from tests.otel.test_exports import SCORE, SPAN

PRODUCTS = ("langfuse", "langsmith", "mlflow", "phoenix", "traceloop", "opentelemetry")
"""The pages: langfuse.md, langsmith.md, mlflow.md, phoenix.md, traceloop.md, opentelemetry.md."""

CONTEXT = {"trace_id": "ab" * 16, "span_id": "cd" * 8}
RUN = {
    "id": "r-1", "trace_id": "r-1", "run_type": "llm", "name": "ChatOpenAI",
    "start_time": "2026-11-21T10:00:00Z", "end_time": "2026-11-21T10:00:01Z",
    "inputs": {"messages": [{"role": "user", "content": "hello"}]},
    "outputs": {"choices": [{"message": {"role": "assistant", "content": "hi"}}]},
}  # fmt: skip
ATTRIBUTES = {
    "openinference.span.kind": "LLM",
    "llm.input_messages": [{"message.role": "user", "message.content": "hello"}],
    "llm.output_messages": [{"message.role": "assistant", "message.content": "hi"}],
}
FEEDBACK = {"id": "f-1", "run_id": "r-1", "key": "user_thumb", "score": 1}
ANNOTATION = {
    "span_id": CONTEXT["span_id"], "name": "user_thumb",
    "annotator_kind": "HUMAN", "result": {"label": "up", "score": 1},
}  # fmt: skip
CAPTURE = Path(__file__).parents[1] / "data" / "otel"


def _mlflow_trace() -> dict[str, Any]:
    with gzip.open(next(CAPTURE.rglob("*native_mlflow*")), "rt", encoding="utf-8") as lines:
        record = json.loads(next(lines))
    body = json.loads(record["payload"])
    assert isinstance(body, dict)
    return body


def exported(product: str, file: str) -> list[dict[str, Any]]:
    """Return what a product exports to a file that its page names."""
    if product == "mlflow":
        return [_mlflow_trace()]
    documents: dict[tuple[str, str], dict[str, Any]] = {
        ("langfuse", "scores.jsonl"): SCORE,
        ("langsmith", "runs.jsonl"): RUN,
        ("langsmith", "feedback.jsonl"): FEEDBACK,
        ("phoenix", "spans.jsonl"): {**SPAN, "context": CONTEXT, "attributes": ATTRIBUTES},
        ("phoenix", "annotations.jsonl"): {"data": [ANNOTATION]},
    }
    return [documents[product, file]]


def commands(page: str) -> list[list[str]]:
    """Return the calls of `goldpan import` on a page, as arguments."""
    blocks = [block.text for block in code_blocks(page) if block.language == "sh"]
    lines = [line for text in blocks for line in text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("goldpan import")]


@pytest.mark.parametrize("product", ["langfuse", "langsmith", "mlflow", "phoenix"])
def test_the_import_of_the_page(
    product: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each line of the files is stored; nothing is set aside."""
    (arguments,) = commands(f"docs/otel/{product}.md")
    names = [name for name in arguments if name.endswith(".jsonl")]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", str(tmp_path / "lake"))
    monkeypatch.setenv("GOLDPAN_REDACT__POLICY", "off")
    for name in names:
        lines = [json.dumps(each) for each in exported(product, name)]
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    assert run_command(["lake", "init"]) == 0
    capsys.readouterr()
    assert run_command([*arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["files"]) == len(names)
    assert all(file["stored"] >= 1 and file["quarantined"] == 0 for file in answer["files"])
    assert answer["traces"]["new"] == (0 if product == "langfuse" else 1)


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_endpoints_of_the_page_are_those_of_the_collector(product: str) -> None:
    """Each address on a page names a port that the Collector of `docs/otel.md` listens on."""
    (collector,) = [b.text for b in code_blocks("docs/otel.md") if b.language == "yaml"]
    listening = set(re.findall(r"endpoint: 0\.0\.0\.0:(\d+)", collector))
    ports = set(re.findall(r"http://collector:(\d+)", read_page(f"docs/otel/{product}.md")))
    assert ports
    assert ports <= listening
