"""Presidio's recognisers are loaded without Presidio, and are what they are within it."""

import sys
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
from presidio_analyzer import PatternRecognizer, predefined_recognizers

from redact.lexical.isolated_modules import IsolatedModules
from redact.recognition.catalogue import GENERIC_RECOGNISERS, NATIONAL_RECOGNISERS
from redact.recognition.matching.lazy_patterns import compile_expression
from redact.recognition.matching.pattern_recogniser import PatternRecogniser
from redact.recognition.stock_recognisers import stock_recogniser

_NATIONAL = [f"country_specific.{path}" for some in NATIONAL_RECOGNISERS.values() for path in some]
_VALUES = (
    "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "00:11:22:33:44:55", "FF:FF:FF:FF:FF:FF", "00:00:00:00:00:00", "912-70-1234", "BB1388568",
    "401-023-2137", "AB123456C", "65170839J003", "65180466B012", "12345678Z", "X9613851N",
    "RSSMRA70A01H501S", "ABCPD1234E", "131052-308T", "850709-9805", "S2740116C", "046-454-286",
)  # fmt: skip


@pytest.mark.parametrize("path", [*GENERIC_RECOGNISERS, *_NATIONAL])
def test_a_recogniser_is_what_it_is_within_presidio(path: str) -> None:
    """The same patterns, scores, context, flags, and the same checks of values."""
    ours = stock_recogniser(path)
    theirs: Any = getattr(predefined_recognizers, type(ours).__name__)(supported_language="en")
    assert issubclass(type(theirs), PatternRecognizer)
    assert [(p.name, p.regex, p.score) for p in ours.patterns] == [
        (p.name, p.regex, p.score) for p in theirs.patterns
    ]
    assert ours.context == theirs.context
    assert ours.supported_entities == theirs.supported_entities
    assert ours.global_regex_flags == int(theirs.global_regex_flags)
    checked = type(theirs).validate_result is not PatternRecognizer.validate_result
    assert checked == (type(ours).validate_result is not PatternRecogniser.validate_result)
    for value in _matching(ours):
        assert ours.validate_result(value) == theirs.validate_result(value)
        assert bool(ours.invalidate_result(value)) == bool(theirs.invalidate_result(value))


def _matching(recogniser: PatternRecogniser) -> list[str]:
    """Return values, and variants of them, that a pattern of the recogniser matches."""
    random = Random(4)  # noqa: S311  # not for secrets
    values = list(_VALUES)
    for value in _VALUES:
        for _ in range(40):
            at = random.randrange(len(value))
            sign = random.choice("0123456789" if value[at].isdigit() else "ABCDEFXYZ")
            values.append(value[:at] + sign + value[at + 1 :])
    patterns = [
        compile_expression(p.regex, recogniser.global_regex_flags) for p in recogniser.patterns
    ]
    return [value for value in values if any(p.fullmatch(value) for p in patterns)]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package whose import fails, with modules that need parts of it."""
    folder = tmp_path / "heavy_package"
    (folder / "parts").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (folder / "base.py").write_text("NAME = 'base'\n")
    (folder / "parts" / "one.py").write_text(
        "import json\nfrom ..base import NAME\nfrom heavy_package import Base\n"
        "from .two import WORD\nclass One(Base): text = json.dumps([NAME, WORD])\n"
    )
    (folder / "parts" / "two.py").write_text("WORD = 'two'\n")
    (folder / "parts" / "three.py").write_text("from heavy_package import Other\n")
    (folder / "parts" / "four.py").write_text("import heavy_package.base\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder.name


def test_a_module_is_loaded_without_its_package(package: str) -> None:
    """Others do not see it, and it gets the stand-in."""
    modules = IsolatedModules(package, {package: {"Base": PatternRecogniser}})
    one = modules.load(f"{package}.parts.one")
    assert issubclass(one.One, PatternRecogniser)
    assert one.One.text == '["base", "two"]'
    assert modules.load(f"{package}.parts.one") is one
    assert not any(name.startswith(package) for name in sys.modules)


@pytest.mark.parametrize("module", ["three", "four", "five"])
def test_what_no_stand_in_has_is_an_error(package: str, module: str) -> None:
    """It is never taken from somewhere else."""
    modules = IsolatedModules(package, {package: {"Base": PatternRecogniser}})
    with pytest.raises(ImportError):
        modules.load(f"{package}.parts.{module}")


def test_a_package_must_be_there() -> None:
    """Also if a module has its name."""
    for name in ("no_such_package", "this"):
        with pytest.raises(ImportError, match=name):
            IsolatedModules(name, {})
    assert isinstance(sys.modules.get("this"), ModuleType | None)
