"""Reads a dataset folder: ``read_huggingface.py FOLDER`` prints the rows of each split."""

import json
import sys
import tempfile

import datasets

with tempfile.TemporaryDirectory() as cache:
    loaded = datasets.load_dataset(sys.argv[1], cache_dir=cache)
    print(
        json.dumps(
            {
                name: [
                    {key: row[key] for key in ("trace_id", "weight", "messages", "label")}
                    for row in part
                ]
                for name, part in loaded.items()
            }
        )
    )
