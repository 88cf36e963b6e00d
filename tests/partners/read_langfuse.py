"""Makes the requests of ``create_dataset_item``: ``read_langfuse.py FILE.jsonl`` prints them."""

import inspect
import json
import sys
from pathlib import Path

from langfuse import Langfuse
from langfuse.api import CreateDatasetItemRequest

lines = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
takes = set(inspect.signature(Langfuse.create_dataset_item).parameters)
unknown = sorted({key for line in lines for key in line} - takes)
items = [CreateDatasetItemRequest(**line) for line in lines]
print(json.dumps({"unknown": unknown, "items": [json.loads(item.json()) for item in items]}))
