"""A judge is one file: typed, with one digest, and errors that name the line and the key."""

from pathlib import Path

import pytest

from judges.definition import (
    DEFAULT_THRESHOLDS,
    VerdictThresholds,
    choose_way,
    load_judge,
    parse_judge,
)
from judges.ways import ChatWay, CheckWay, DecisionWay, is_floating
from schemas.errors import UsageError
from tests.judges.kit import DEFINITION, definition


def test_the_example_is_a_judge() -> None:
    """All keys are read, and a number may be written as .2."""
    judge = definition()
    assert (judge.name, judge.version, judge.reads[0]) == ("faithfulness", 3, "question")
    assert judge.thresholds == VerdictThresholds(pass_at_most=0.2, fail_at_least=0.7)
    assert judge.repeat is not None
    assert judge.repeat.share == 0.05
    assert judge.cost is not None
    assert judge.cost.of(2_000_000, 5) == pytest.approx(0.2)
    assert [way.kind for way in judge.by] == ["decision", "chat", "check"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("verson: 3", "line 2: verson: there is no such key; version may be meant."),
        ("version: three", "line 2: version: must be a whole number"),
        ("reads: [quesion]", "line 5: reads.0: Input should be 'instructions', 'conversation'"),
        ("reads: [question, question]", "line 5: reads: something is listed twice."),
        ("limits: {tokens: 6000, cut: middle}", "line 6: limits.cut: Input should be"),
        ("limits: {tokens: 6000.5}", "line 6: limits.tokens: must be a whole number"),
        ("decide: {pass_at_most: .2}", "line 11: decide.thresholds.fail_at_least: is missing."),
        ("decide: {pass_at_most: 0.7, fail_at_least: 0.2}", "contradictory: pass_at_most must be"),
        ("decide: calibrate", "line 11: decide: Input should be 'calibrated'."),
        ("repeat: {share: 1.5}", "line 12: repeat.share: Input should be less than or equal to 1."),
        ("applies: {has: [retrieved], lacks: [retrieved]}", "contradictory: retrieved is in has"),
        ("failure_modes: [Bad Mode]", "line 13: failure_modes.0: String should match"),
        ("cost: {input_per_million: -1}", "line 14: cost.input_per_million: Input should be"),
    ],
)
def test_an_error_names_the_line_and_the_key(line: str, message: str) -> None:
    """The first wrong key is reported with what is allowed there."""
    key = "version" if line.startswith("verson") else line.partition(":")[0]
    with pytest.raises(UsageError) as caught:
        definition(**{key: line})
    assert f"judge.yaml, line {message[5:]}" in str(caught.value) or message in str(caught.value)


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("{chat: gpt-5-latest}", "line 9: by.1.chat: gpt-5-latest may be another model tomorrow"),
        ("{decision: jev-latest}", "line 9: by.1.decision: jev-latest may be another"),
        ("{check: grammar}", "line 9: by.1.check: Input should be 'citations'"),
        ("{chek: citations}", "line 9: by.1: each way is one of chat, decision, local, check"),
        ("{chat: a, check: citations}", "line 9: by.1: each way is one of chat"),
        ("citations", "line 9: by.1: each way is one of"),
        ("{local: everything}", "line 9: by.1.local: Input should be 'task_success'"),
        ("{chat: m1, url: 'http://h'}", "line 9: by.1.url: there is no such key"),
        ("{chat: m1, url_env: lower}", "line 9: by.1.url_env: String should match"),
    ],
)
def test_a_wrong_way_is_refused(way: str, message: str) -> None:
    """So are model names that a server may move, unless the file says that it is meant."""
    text = DEFINITION.replace("{chat: gpt-5.4-2026-08-01}", way)
    with pytest.raises(UsageError, match="judge") as caught:
        parse_judge(text, "judge.yaml")
    assert message in str(caught.value)


def test_a_floating_model_can_be_meant() -> None:
    """``floating: true`` accepts an alias."""
    text = DEFINITION.replace("gpt-5.4-2026-08-01", "gpt-5-latest, floating: true")
    assert parse_judge(text, "judge.yaml").by[1].model == "gpt-5-latest"
    assert is_floating("vendor/model:latest")
    assert not is_floating("gpt-5.4-2026-08-01")
    assert not is_floating("translatest-2")


def test_a_check_never_answers_what_it_cannot_know() -> None:
    """A judge of faithfulness is not answered by a check of citations, nor is it a valid file."""
    judge = definition()
    assert list(judge.misfits) == ["check: citations"]
    assert [way.kind for way in judge.answerable] == ["decision", "chat"]
    with pytest.raises(UsageError, match="nothing that can answer it is configured"):
        choose_way(judge, lambda way: isinstance(way, CheckWay))
    alone = DEFINITION.replace("  - {decision: gpt-6-luna, url_env: GOLDPAN_JUDGES__URL}\n", "")
    with pytest.raises(UsageError, match="line 7: by: nothing in it can answer this"):
        parse_judge(alone.replace("  - {chat: gpt-5.4-2026-08-01}\n", ""), "judge.yaml")


def test_the_local_model_answers_its_own_question_alone() -> None:
    """It knows whether a task was done, and a judge of completeness is another."""
    text = "judge: {}\nversion: 1\nasks: {}\nby: [{{local: task_success}}]\n"
    done = parse_judge(text.format("task_success", "The task was done."), "judge.yaml")
    assert [way.kind for way in done.answerable] == ["local"]
    with pytest.raises(UsageError, match="knows whether a task was done"):
        parse_judge(text.format("completeness", "The answer is complete."), "judge.yaml")


def test_the_first_configured_way_answers() -> None:
    """In the order of the file."""
    judge = definition()
    assert choose_way(judge, lambda _: True).kind == "decision"
    assert choose_way(judge, lambda way: not isinstance(way, DecisionWay)).kind == "chat"


def test_defaults_are_enough_for_a_small_file() -> None:
    """A judge needs a name, a version, a question and a way."""
    judge = parse_judge("judge: a\nversion: 1\nasks: It is.\nby: [{chat: m1}]\n", "judge.yaml")
    assert judge.reads == ("question", "response")
    assert judge.decide == DEFAULT_THRESHOLDS
    assert judge.limits.tokens == 6_000


def test_the_digest_is_of_what_decides_an_outcome() -> None:
    """Comments and the order of keys do not change it; every other word does."""
    judge, lines = definition(), DEFINITION.splitlines()
    shuffled = parse_judge("\n".join(reversed(_blocks(lines))) + "\n# a comment\n", "other.yaml")
    assert shuffled.digest == judge.digest
    way = judge.by[0]
    changed = {
        key: definition(**{key: line})
        for key, line in {
            "version": "version: 4",
            "asks": "asks: Another question.",
            "applies": "applies: {has: [response]}",
            "reads": "reads: [question, response]",
            "limits": "limits: {tokens: 5000}",
            "decide": "decide: {pass_at_most: .3, fail_at_least: .7}",
            "failure_modes": "failure_modes: [unsupported]",
            "repeat": "repeat: {share: .5, times: 2}",
            "cost": "cost: {input_per_million: 0.2}",
        }.items()
    }
    digests = {key: each.digest for key, each in changed.items()}
    assert len({judge.digest, *digests.values()}) == len(digests) + 1
    of_way = {key: each.digest_of_way(way) for key, each in changed.items()}
    same = {key for key, digest in of_way.items() if digest == judge.digest_of_way(way)}
    assert same == {"repeat", "cost"}
    of_question = {key: each.question_digest_of(way) for key, each in changed.items()}
    same = {key for key, digest in of_question.items() if digest == judge.question_digest_of(way)}
    assert same == {"version", "applies", "decide", "failure_modes", "repeat", "cost"}


def test_each_way_has_its_own_digest() -> None:
    """Another model or wire is another judge; another address of the same server is not."""
    judge = definition()
    digests = {judge.digest_of_way(way) for way in judge.by}
    assert len(digests) == 3
    moved = DEFINITION.replace("GOLDPAN_JUDGES__URL", "OTHER_URL")
    other = parse_judge(moved, "judge.yaml")
    assert other.digest_of_way(other.by[0]) == judge.digest_of_way(judge.by[0])


def test_calibrated_thresholds_are_part_of_the_digest() -> None:
    """They come from elsewhere, and an outcome depends on them."""
    judge = definition(decide="decide: calibrated")
    assert judge.thresholds is None
    digests = {
        judge.digest_of_way(judge.by[0], VerdictThresholds(pass_at_most=low, fail_at_least=0.9))
        for low in (0.1, 0.2)
    }
    assert len(digests) == 2


def test_examples_lie_beside_the_file(tmp_path: Path) -> None:
    """They are part of the digest of the way, and are checked with their line."""
    file, examples = tmp_path / "judge.yaml", tmp_path / "examples.jsonl"
    file.write_text(DEFINITION.replace("08-01}", "08-01, examples: examples.jsonl}"))
    examples.write_text('{"question": "q", "response": "r", "verdict": "pass"}\n\n')
    judge = load_judge(file)
    way = judge.by[1]
    assert isinstance(way, ChatWay)
    assert way.examples[0].verdict == "pass"
    assert judge.digest_of_way(way) != definition().digest_of_way(definition().by[1])
    examples.write_text('{"question": "q", "verdict": "pass"}\n{"question": \n')
    with pytest.raises(UsageError, match=r"examples.jsonl, line 2: it is not JSON."):
        load_judge(file)
    examples.write_text('{"error": "q", "verdict": "pass"}\n')
    with pytest.raises(UsageError, match="an example has error, which is not in reads"):
        load_judge(file)
    examples.unlink()
    with pytest.raises(UsageError, match=r"the file examples.jsonl cannot be read: No such file"):
        load_judge(file)


def _blocks(lines: list[str]) -> list[str]:
    """Return the top-level keys of a file, each with the lines below it."""
    blocks: list[str] = []
    for line in lines:
        if line.startswith(" "):
            blocks[-1] += f"\n{line}"
        else:
            blocks.append(line)
    return blocks
