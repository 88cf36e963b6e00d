"""Vendors' keys are found by their format, rule by rule, and look-alikes stay."""

import json
import random
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources

import pytest
import regex

from redact.policies.policy import load_policy
from redact.recognition.accelerated_detector import AcceleratedDetector
from redact.recognition.matching.regex_relaxation import TextDialect
from redact.recognition.policy_detector import PolicyDetector
from redact.recognition.prefilter import Prefilter
from redact.recognition.secrets.vendor_keys import (
    VendorContextRecogniser,
    VendorKey,
    VendorKeyRecogniser,
    load_vendor_keys,
)
from tests.redact.samples import sample

RULES = load_vendor_keys()
FREE = [rule for rule in RULES if not rule.word]
BOUND = [rule for rule in RULES if rule.word]
SENTENCES = (
    "Yesterday I pasted {} into the channel.",
    "is ({}) still valid?",
    "old: {}, new: none",
    "我的密钥是{}谢谢",
    "ключ {}и всё",
    'curl "https://api.example.org/v1?x={}&y=2"',
    "line\\n{}\\nline",
    "<td>{}</td>",
)
ASSIGNED = (
    "export {word}_KEY={value}",
    '{{"{word}_token": "{value}"}}',
    "{word} secret: '{value}'",
)


@lru_cache
def detector() -> PolicyDetector:
    """Return everything that the policy `strict` looks for as a secret."""
    return PolicyDetector(load_policy("strict"), types={"SECRET"})


@lru_cache
def shapes() -> AcceleratedDetector:
    """Return the shapes alone."""
    return AcceleratedDetector([VendorKeyRecogniser(RULES), VendorContextRecogniser(RULES)])


def left_of(text: str, value: str) -> str:
    """Return what is left of a value that occurs in a text once."""
    start = text.index(value)
    kept = [True] * len(value)
    for finding in detector().find(text):
        for at in range(max(finding.start - start, 0), min(finding.end - start, len(value))):
            kept[at] = False
    return "".join(c for c, keep in zip(value, kept, strict=True) if keep)


def values(rule: VendorKey, count: int) -> Iterator[str]:
    """Yield values of a rule, seeded by its id."""
    rng = random.Random(rule.id)  # noqa: S311  # not for secrets
    for _ in range(count):
        yield sample(rule.value, rng)


def test_every_expression_matches_its_samples() -> None:
    """The generator of samples and the rules agree, so that the tests below compare something."""
    for rule in FREE:
        for value in values(rule, 2):
            if "(?<" not in rule.value and "(?=" not in rule.value:
                assert regex.fullmatch(rule.value, value), rule.id


@pytest.mark.parametrize("container", ["sentence", "environment", "JSON"])
def test_keys_without_context_are_found(container: str) -> None:
    """One value of each rule is gone in every container."""
    failed = []
    for number, rule in enumerate(FREE):
        for value in values(rule, 2):
            if "(?<=" in rule.value or not _is_likely(rule, value):
                continue
            text = {
                "sentence": SENTENCES[number % len(SENTENCES)].format(value),
                "environment": f"export X_VALUE={value}\nLOG_LEVEL=debug",
                "JSON": json.dumps({"step": 1, "output": value}),
            }[container]
            if value in text and left_of(text, value).strip("=.-_"):
                failed.append(rule.id)
    print("not found:", sorted(set(failed)))
    assert failed == []


def test_keys_with_context_are_found() -> None:
    """One value of each rule is gone after the vendor's name and a sign of assignment."""
    failed = []
    for number, rule in enumerate(BOUND):
        rng = random.Random(rule.id)  # noqa: S311  # not for secrets
        for value in values(rule, 2):
            if not any(map(str.isdigit, value)) or not any(map(str.isalpha, value)):
                continue
            for form in (ASSIGNED[number % 3], "{word} 9x.k = `{value}`"):
                text = form.format(word=sample(f"(?i:{rule.word})", rng), value=value)
                if left_of(text, value).strip("=.-_"):
                    failed.append(rule.id)
    print("not found:", sorted(set(failed)))
    assert len(set(failed)) <= 0.02 * len(BOUND)


def _is_likely(rule: VendorKey, value: str) -> bool:
    """Return whether a sample contains the digit that a rule looks ahead for."""
    return "(?=" not in rule.value or any(map(str.isdigit, value[:40]))


def test_keys_may_have_any_neighbour() -> None:
    """An underscore, another script or a mark beside a key does not hide it."""
    key = "ghp_" + sample("[A-Za-z0-9]{36}", random.Random(3))  # noqa: S311
    for before in ("_", "-", "の", "ключ", "/", "=", "(", "\n", "「", "key_"):
        for after in ("_", "-old", "です", "и", ".", ")", "&x=1", "<br>", "\\n", ";", "'"):
            text = f"{before}{key}{after}"
            assert left_of(text, key) == "", text


@pytest.mark.parametrize(
    "text",
    [
        "cd sk-learn-contrib-examples && pip install sk-video sk-image-processing-tools",
        "tokens begin with glpat-, ghp_, xoxb- or hf_; the pattern is AKIA[A-Z2-7]{16}",
        "from huggingface_hub import hf_hub_download; npm_config_registry, npm_lifecycle_event",
        "Set OPENAI_API_KEY=sk-... and HF_TOKEN=hf_xxx, GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxx",
        "use sk-your-api-key-goes-here or sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx instead",
        "image: registry.example.org/shop/api@sha256:70fcc37dce41b669c7874791bbe483f4ebabb477441"
        "64f2dfa8e2dd311e2e782",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 on linear history",
        "def test_a_record_that_was_refused_is_not_stored_again_2() -> None:",
        "discord: https://discord.example.com/channels, linkedin: somecompanyname, dropbox: yes",
        "trace 550e8400-e29b-41d4-a716-446655440000 of sentry, version v1.0-rc2, task-us-east-1",
        "pip install fc-list re_matcher whsec_ pul-request do_v1 fw_update_manager_service_two",
        "the risk-free disk_usage, pk_customer_address_2024, sk_buff and live_stream_of_the_match",
        "linear_attention_implementation = flash_attention_2_with_rotary_embeddings",
        "'twitter_username': 'some_name_of_a_person_that_is_long_enough_1'",
    ],
)
def test_what_only_begins_like_a_key_stays(text: str) -> None:
    """Beginnings, names in programs, stand-ins, hashes and ids are not touched."""
    assert [text[f.start : f.end] for f in shapes().find(text)] == []


def test_where_the_list_comes_from() -> None:
    """The list says its version and licence, and the licence travels with it."""
    folder = resources.files("redact")
    document = json.loads((folder / "vendor_keys.json").read_text(encoding="utf-8"))
    assert document["licence"].startswith("MIT")
    assert len(document["commit"]) == 40
    assert "MIT License" in (folder / "vendor_keys.LICENSE").read_text(encoding="utf-8")
    assert len({rule["id"] for rule in document["rules"]}) > 200


@pytest.mark.parametrize("dialect", TextDialect)
def test_the_prefilter_never_misses_a_rule(dialect: TextDialect) -> None:
    """Each rule has a relaxed form for hyperscan, which matches the rule's own samples."""
    patterns = VendorKeyRecogniser(RULES).patterns
    expressions = [(pattern.regex, 0) for pattern in patterns]
    prefilter = Prefilter(expressions)
    assert prefilter.always == frozenset()
    mark = "" if dialect is TextDialect.ASCII else "\u00e9 "
    for number, rule in enumerate(FREE):
        for value in values(rule, 1):
            text = f"{mark}see {value} there"
            if regex.search(expressions[number][0], text):
                assert number in prefilter.candidates(text), rule.id
