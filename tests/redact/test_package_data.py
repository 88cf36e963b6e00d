"""The word lists, policies and model of redaction are installed with its code."""

import json
import tomllib
from fnmatch import fnmatch
from importlib import resources
from pathlib import Path

import pytest

from redact.policies.policy import PRESETS
from tests.architecture.source import ROOT

PACKAGE_DATA = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "setuptools"
]["package-data"]
NER = ROOT / "redact" / "ner"
DATA = sorted(
    path
    for path in (ROOT / "redact").rglob("*")
    if path.is_file() and path.suffix not in {".py", ".pyc"} and NER not in path.parents
)


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.name)
def test_each_data_file_is_in_a_package_and_matches_a_pattern(path: Path) -> None:
    """setuptools installs a data file if its folder is a package and a pattern matches it."""
    assert (path.parent / "__init__.py").exists()
    assert any(fnmatch(path.name, pattern) for pattern in PACKAGE_DATA["*"])


def test_the_models_are_package_data() -> None:
    """The folder of each model is installed with all of its files."""
    models = {file.parent.name for file in NER.rglob("tagger.json")}
    assert "model" in models
    assert {f"{model}/**" for model in models} == set(PACKAGE_DATA["redact.ner"])


def test_word_lists_and_presets_are_read_as_resources_of_the_package() -> None:
    """They are found wherever the package is installed."""
    package = resources.files("redact")
    lists = [path for path in DATA if path.suffix == ".json"]
    assert len(lists) >= 9
    for path in lists:
        assert json.loads((package / path.name).read_text(encoding="utf-8"))
    for preset in PRESETS:
        assert (package / "policies" / f"{preset}.yaml").read_text(encoding="utf-8")
