"""Runs a snippet of a page: ``run_query.py FILE`` prints the rows of its ``result`` as JSON."""

import json
import math
import sys
from pathlib import Path
from typing import Any


def rows_of(result: Any) -> list[list[Any]]:
    """Return the rows of a frame of polars, pandas or Spark, with None for what is missing."""
    if hasattr(result, "itertuples"):
        rows = list(result.itertuples(index=False))
    elif hasattr(result, "collect"):
        rows = result.collect()
    else:
        rows = result.rows()
    return [[_plain(value) for value in row] for row in rows]


def _plain(value: Any) -> Any:
    value = getattr(value, "item", lambda: value)()
    return None if isinstance(value, float) and math.isnan(value) else value


scope: dict[str, Any] = {}
exec(compile(Path(sys.argv[1]).read_text(), sys.argv[1], "exec"), scope)  # noqa: S102 - our page
print(json.dumps(rows_of(scope["result"])))
