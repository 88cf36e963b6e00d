"""Sends a file of assessments with a tool's own SDK: ``send_assessments.py TOOL FILE ADDRESS``."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Lines = list[dict[str, Any]]


def _langfuse(lines: Lines, address: str) -> None:
    from langfuse import Langfuse  # noqa: PLC0415 - each tool is in a folder of its own

    client = Langfuse(public_key="pk", secret_key="sk", base_url=address, tracing_enabled=True)
    for line in lines:
        client.create_score(**line)
    client.flush()


def _langsmith(lines: Lines, address: str) -> None:
    from langsmith import Client  # noqa: PLC0415 - as above

    client = Client(api_url=address, api_key="key", auto_batch_tracing=False)
    for line in lines:
        client.create_feedback(**line)


def _phoenix(lines: Lines, address: str) -> None:
    from phoenix.client import Client  # noqa: PLC0415 - as above

    Client(base_url=address).traces.log_trace_annotations(trace_annotations=lines, sync=True)


_SENDERS: dict[str, Callable[[Lines, str], None]] = {
    "langfuse": _langfuse,
    "langsmith": _langsmith,
    "phoenix": _phoenix,
}

tool, file, server = sys.argv[1:]
sent = [json.loads(line) for line in Path(file).read_text().splitlines()]
_SENDERS[tool](sent, server)
print(json.dumps(len(sent)))
