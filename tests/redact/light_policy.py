"""The strict policy without the model of names, which takes seconds to load."""

from pathlib import Path
from typing import Final

import pytest

LIGHT: Final = "extends: strict\nname: light\nnames: {model: none}\n"


def set_light_policy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands in a folder, the working one, redact by this policy."""
    (folder / "policy.yaml").write_text(LIGHT, encoding="utf-8")
    monkeypatch.setenv("GOLDPAN_REDACT__POLICY", "policy.yaml")
