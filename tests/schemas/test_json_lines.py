"""JSON lines are the same lines for every reader."""

import json

from schemas.json_lines import encode_json_lines


def test_documents_are_lines_for_every_reader() -> None:
    """Whatever ends lines elsewhere is escaped, and means the same."""
    documents = [{"text": f"a{sign}b"} for sign in "\x85\u2028\u2029\n"]
    lines = encode_json_lines(documents)
    assert [json.loads(line) for line in lines.decode().splitlines()] == documents
