"""Makes examples of the client: ``read_langsmith.py FILE.jsonl`` prints them."""

import json
import sys
from pathlib import Path

from langsmith.schemas import ExampleCreate

lines = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
unknown = sorted({key for line in lines for key in line} - set(ExampleCreate.model_fields))
examples = [ExampleCreate(**line) for line in lines]
print(json.dumps({"unknown": unknown, "examples": [json.loads(e.json()) for e in examples]}))
