"""What a privacy officer relies on in a policy file."""

from pathlib import Path

import pytest

from redact.policies.policy import ENGINE_VERSION, PRESETS, load_policy, parse_policy
from schemas.errors import UsageError

SMALL = "name: mine\nentities:\n  PERSON: {operator: mask}\n"


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_load_and_have_a_hash_of_their_own(preset: str) -> None:
    """Each preset is complete, and no two share a hash."""
    hashes = {name: load_policy(name).hash for name in PRESETS}
    assert load_policy(preset).name == preset
    assert len(set(hashes.values())) == len(PRESETS)


def test_the_hash_of_each_preset_is_the_one_that_stored_rows_carry() -> None:
    """A hash changes only with the rules of a preset or with ENGINE_VERSION, which say so."""
    assert ENGINE_VERSION == "3"
    assert {preset: load_policy(preset).hash for preset in PRESETS} == {
        "strict": "0c91b78abe52cf6b",
        "hipaa": "1785a17da93e91f3",
        "gdpr": "fe3fd66c610508fc",
        "ccpa": "e19dda5446251427",
    }


def test_hash_names_what_the_policy_does() -> None:
    """The same rules in another layout have the same hash, another rule has another."""
    same = "entities: {PERSON: {operator: mask, score: 0.4}}\nname: mine"
    other = SMALL.replace("mask", "drop")
    assert parse_policy(SMALL, "a").hash == parse_policy(same, "b").hash
    assert parse_policy(SMALL, "a").hash != parse_policy(other, "c").hash


def test_the_description_is_no_part_of_the_hash() -> None:
    """A better sentence does not make rows look as if another policy had stored them."""
    described = SMALL + "description: Names are masked.\n"
    assert parse_policy(SMALL, "a").hash == parse_policy(described, "b").hash


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (SMALL + "colour: red\n", 4, "colour"),
        ("name: mine\nentities:\n  PERSON: {}\n  PRESON: {}\n", 4, "PRESON is not a type"),
        ("name: mine\nentities:\n  PERSON: {}\n  AGE: {score: 3}\n", 4, "entities.AGE.score"),
        ("name: mine\nentities:\n  AGE:\n    operator: shred\n", 4, "entities.AGE.operator"),
        ("name: mine\nentities:\n  AGE: {}\n  AGE: {}\n", 4, "duplicate key AGE"),
        ("name: mine\nentities: [\n", 3, "not YAML"),
        ("name: mine\n", 1, "entities"),
        ("- name\n", 1, "mapping"),
        ("name: mine\nextends: stirct\n", 2, "extends: must be one of strict"),
        ('extends: strict\nname: "off"\n', 2, "is taken"),
        (SMALL + "regions: [US, germany]\n", 4, "regions.1"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_reason(text: str, line: int, reason: str) -> None:
    """The message leads to the line to fix."""
    with pytest.raises(UsageError) as caught:
        parse_policy(text, "policy.yaml")
    assert f"policy.yaml, line {line}:" in str(caught.value)
    assert reason in str(caught.value)


def test_a_policy_may_extend_a_preset(tmp_path: Path) -> None:
    """Only what differs has to be written."""
    file = tmp_path / "mine.yaml"
    file.write_text("extends: strict\nname: mine\nentities:\n  URL: {operator: drop}\n")
    policy, strict = load_policy(str(file)), load_policy("strict")
    assert policy.entities["URL"].operator == "drop"
    assert policy.entities["PERSON"] == strict.entities["PERSON"]
    assert policy.hash != strict.hash


def test_an_unknown_name_lists_the_presets() -> None:
    """A mistyped preset is a wrong use, not an empty policy."""
    with pytest.raises(UsageError, match="strict, hipaa, gdpr, ccpa"):
        load_policy("stirct")


def test_rules_of_field_class_and_app_win() -> None:
    """The app's rule overrides the field's, which overrides the general one."""
    policy = parse_policy(
        "name: mine\nentities: {AGE: {operator: mask}}\n"
        "fields: {redact_json: {entities: {AGE: {operator: drop}}}}\n"
        "apps: {clinic: {entities: {AGE: {operator: keep}}}}\n",
        "p",
    )
    assert policy.rules("redact", "shop")["AGE"].operator == "mask"
    assert policy.rules("redact_json", "shop")["AGE"].operator == "drop"
    assert policy.rules("redact_json", "clinic")["AGE"].operator == "keep"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_type_that_a_preset_replaces_has_a_finder(preset: str) -> None:
    """A preset promises nothing without a finder, and lists no exception."""
    policy = load_policy(preset)
    assert policy.replaced_types() <= policy.detectable_types()
    assert policy.without_finder == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("entities: {LOCATION: {}}\nnames: {model: none}\n", "LOCATION"),
        ("entities: {HOST: {operator: mask}}\n", "HOST"),
        ("entities: {AGE: {}}\napps: {clinic: {entities: {HOST: {operator: drop}}}}\n", "HOST"),
    ],
)
def test_a_type_without_a_finder_is_refused(text: str, kind: str) -> None:
    """The message names the type and the word that allows it; with that word it loads."""
    with pytest.raises(UsageError) as caught:
        parse_policy(f"name: mine\n{text}", "policy.yaml")
    assert f"nothing in this policy finds {kind}" in str(caught.value)
    assert f"without_finder: [{kind}]" in str(caught.value)
    parse_policy(f"name: mine\n{text}without_finder: [{kind}]\n", "policy.yaml")
    parse_policy(f"name: mine\n{text}deny: {{{kind}: [Atlantis]}}\n", "policy.yaml")
    parse_policy(f"name: mine\n{text}keys: {{personal: {{place: {kind}}}}}\n", "policy.yaml")
