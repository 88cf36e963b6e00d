"""Each call into a library that asks something outside stands on the page of what that means."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "decisions" / "0018-what-libraries-say.md"
CALL = re.compile(
    r"\b_?(?:consumer|admin|producer|client|handle|DeltaTable)\.([a-z][a-z_0-9]+)(?:\(|,|\.)"
)
OURS = {"meta", "exceptions", "files", "table_uri"}
"""What is asked of a client's object that asks nobody."""


def calls() -> dict[str, str]:
    """Return the names that are called, and where."""
    found: dict[str, str] = {}
    for room in ("stream", "lake"):
        for file in sorted((ROOT / room).rglob("*.py")):
            for name in CALL.findall(file.read_text(encoding="utf-8")):
                found.setdefault(name, f"{room}/{file.name}")
    return {name: place for name, place in found.items() if name not in OURS}


def test_the_page_has_each_call() -> None:
    """A call that is added is looked at with the question of the page."""
    listed = set(re.findall(r"`([a-z_0-9]+)`", PAGE.read_text(encoding="utf-8")))
    found = calls()
    assert len(found) > 30
    assert {name: place for name, place in found.items() if name not in listed} == {}
