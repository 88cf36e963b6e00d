"""The tagger reads every text alike whatever else is in the call, with bounded caches."""

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import ThreadpoolController

from goldpan.demo.traffic import load_shipped_conversations
from redact.ner import candidates, windows, words
from redact.ner.exact import POWERS, Wholes
from redact.ner.model_files import FOLDERS
from redact.ner.model_format import SHIPPED
from redact.ner.pieces import WordPieces
from redact.ner.tagger import Tagger
from redact.ner.tagger_reader import TaggerReader
from redact.ner.windows import CacheSizes
from redact.ner.word_chances import WordChances
from tests.architecture.source import ROOT
from tests.redact.kit import needs_pure_python
from tests.redact.test_ner_stage import PERSONS

_PIECES = st.one_of(
    st.sampled_from([" ", "  ", "\n", "\n\n", "\t", "\u00a0", "'s", "n't", ":-)", "(", "). ", ","]),
    st.sampled_from([word for text, _ in PERSONS for word in text.split()]),
    st.text(max_size=12),
)
_BLAS = ThreadpoolController().select(user_api="blas")
_FEW = CacheSizes(words=64, states=16, windows=16)
_TEXTS = st.lists(_PIECES, max_size=30).map("".join)


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    """The shipped model."""
    return Tagger.of(FOLDERS[SHIPPED])


@pytest.fixture(scope="module")
def reader(tagger: Tagger) -> TaggerReader:
    """A reader with the shipped model, which remembers what the tests before read."""
    return TaggerReader(tagger)


def _messages() -> list[str]:
    texts = [
        str(message["content"])[:4_000]
        for conversation in load_shipped_conversations()
        for message in conversation.messages
        if message.get("content") and message["role"] in ("user", "assistant")
    ]
    return [text for text, _ in PERSONS] + list(dict.fromkeys(texts))[:150]


def test_names_do_not_depend_on_the_company_or_on_what_was_read_before(
    tagger: Tagger, reader: TaggerReader
) -> None:
    """Alone, in any order, with a fresh reader or a used one: the same names."""
    texts = _messages()
    together = reader.names(texts)
    assert sum(map(len, together)) > 100
    fresh = TaggerReader(tagger)
    assert [fresh.names([text])[0] for text in reversed(texts)] == together[::-1]
    shuffled = list(range(len(texts)))
    Random(5).shuffle(shuffled)  # noqa: S311  # not for secrets
    again = TaggerReader(tagger).names([texts[n] for n in shuffled])
    assert again == [together[n] for n in shuffled]


def _dense(tagger: Tagger, text: str) -> np.ndarray:
    """Return a row for each word of a text, by a fresh memory."""
    return WordChances(tagger, _FEW).of_text(text)


def test_chances_are_the_same_to_the_last_bit_in_any_company(tagger: Tagger) -> None:
    """A name on the edge of being one must not come and go with its neighbours."""
    texts = [text for text, _ in PERSONS]
    together = WordChances(tagger)
    line = together.line(texts)
    rows = together.of(line, np.arange(len(line.numbers))[line.numbers > 0])
    beside = np.split(rows, np.cumsum([place.stop - place.start for place in line.texts])[:-1])
    for text, some in zip(texts, beside, strict=True):
        assert np.array_equal(_dense(tagger, text), some)


@settings(max_examples=15)
@given(st.lists(_TEXTS, max_size=4), st.randoms(use_true_random=False), st.sampled_from([1, 2]))
def test_a_finding_depends_on_its_text_alone(
    tagger: Tagger, reader: TaggerReader, texts: list[str], random: Random, threads: int
) -> None:
    """Alone, in any batch, in any order, on any number of threads: the same names and chances."""
    shuffled = random.sample(texts, len(texts))
    with _BLAS.limit(limits=threads):
        expected = [TaggerReader(tagger, _FEW).names([text])[0] for text in shuffled]
        chances = [_dense(tagger, text) for text in shuffled]
    assert reader.names(shuffled) == expected
    assert dict(zip(texts, reader.names(texts), strict=True)) == dict(
        zip(shuffled, expected, strict=True)
    )
    for text, rows in zip(shuffled, chances, strict=True):
        assert np.array_equal(reader.chances.of_text(text), rows)


def test_sums_are_the_same_in_any_order_and_precision(tagger: Tagger) -> None:
    """So no processor can give others: rows one by one, columns reversed, and 64 bits agree."""
    random = np.random.default_rng(4)
    states = random.integers(-640, 641, (50, 480)).astype(np.int16)
    states[0] = 640
    states[1] = np.where(random.random(480) < 0.5, -640, 640)
    products = [*tagger.products()]
    assert len(products) == 6
    for product in products:
        sums = product.of(states)
        weights = product.weights
        assert np.array_equal(sums, states.astype(np.float64) @ weights.astype(np.float64))
        assert np.array_equal(sums, states[:, ::-1].astype(np.float32) @ weights[::-1])
        worst = np.abs(weights).astype(np.float64).sum(axis=0) * 640
        assert worst.max() + max(np.abs(table).max() for table in product.added) <= 2**24


_ON_AN_OLD_PROCESSOR = {
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names kernels of x86-64")
def test_chances_do_not_depend_on_the_processor(tagger: Tagger) -> None:
    """The kernels for a processor of 2008 give what those for this one give, to the last bit."""
    texts = [text for text, _ in PERSONS]
    run = subprocess.run(
        [sys.executable, "-c", "import tests.redact.test_ner_reader as t; t.print_digest()"],
        cwd=ROOT,
        env={**os.environ, **_ON_AN_OLD_PROCESSOR},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == [_digest(tagger, texts), "Nehalem"]


def _digest(tagger: Tagger, texts: list[str]) -> str:
    rows = b"".join(_dense(tagger, text).tobytes() for text in texts)
    return hashlib.sha256(rows).hexdigest()


def print_digest() -> None:
    """Print the hash of the chances of some texts, and what the kernels of BLAS are for."""
    digest = _digest(Tagger.of(FOLDERS[SHIPPED]), [text for text, _ in PERSONS])
    print(digest, _BLAS.info()[0]["architecture"])


def test_the_table_of_exponentials_is_the_same_everywhere() -> None:
    """No entry is so near to the middle of two numbers that another library rounds otherwise."""
    exact = np.exp(-np.arange(len(POWERS), dtype=np.float64) / 64) * 2**16
    assert np.array_equal(np.rint(exact), POWERS)
    assert np.abs(exact % 1 - 0.5).min() > 1e-6


def test_words_that_are_not_read_are_no_part_of_a_name(
    tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name with a candidate is found as if all words were read; few are read."""
    texts = _messages()
    found = TaggerReader(tagger).names(texts)
    monkeypatch.setattr(words, "candidacy", lambda _: candidates.CANDIDATE)
    everything = TaggerReader(tagger).names(texts)
    for text, some, others in zip(texts, found, everything, strict=True):
        missing = [one for one in others if one not in some]
        assert set(some) <= set(others)
        for one in missing:
            spoken = words.split_stretches(text[one.start : one.end])
            parts = [word.text for gap, part in spoken for word in words.split_words(gap, part)]
            assert all(candidates.candidacy(part) < candidates.CANDIDATE for part in parts)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Halvorsen", candidates.CANDIDATE),
        ("\u5f20\u4f1f", candidates.CANDIDATE),
        ("ingrid", candidates.CANDIDATE),
        ("12", candidates.CANDIDATE),
        ("Monday", candidates.CANDIDATE),
        ("US", candidates.CANDIDATE),
        ("qwertz", candidates.RARE),
        ("The", candidates.NO_CANDIDATE),
        ("Refunds", candidates.NO_CANDIDATE),
        ("booking", candidates.NO_CANDIDATE),
        ("J", candidates.NO_CANDIDATE),
        ("(", candidates.NO_CANDIDATE),
    ],
)
def test_candidates_have_a_capital_a_digit_or_are_given_names(word: str, expected: int) -> None:
    """First words of sentences are none, and rare words only where nothing has a capital."""
    assert candidates.candidacy(word) == expected


@settings(max_examples=150)
@given(st.lists(_TEXTS, max_size=4))
def test_any_text_is_read_and_names_lie_in_it_in_order(
    reader: TaggerReader, texts: list[str]
) -> None:
    """Also odd white space, contractions, smileys, and signs of any script."""
    for text, names in zip(texts, reader.names(texts), strict=True):
        end = 0
        for one in names:
            assert end <= one.start < one.end <= len(text)
            end = one.end


@given(_TEXTS)
def test_every_sign_belongs_to_one_word(text: str) -> None:
    """Nothing but white space lies between words, and no word holds any."""
    end, many = 0, 0
    for start, stop in words.word_spans(text):
        assert not text[end:start].strip()
        assert start < stop
        assert not any(sign.isspace() for sign in text[start:stop])
        end, many = stop, many + 1
    assert not text[end:].strip()
    assert many == sum(len(words.split_words(gap, s)) for gap, s in words.split_stretches(text))


@pytest.mark.parametrize(
    ("text", "parts", "shapes"),
    [
        ("O'Brien", ["O", "'", "Brien"], [10, 0, 9]),
        ("HAT083", ["HAT", "083"], [12, 3]),
        ("e\u0301clair", ["e\u0301clair"], [15]),
        ("iPhone", ["iPhone"], [13]),
        ("\u5f20\u4f1f", ["\u5f20\u4f1f"], [14]),
        ("QWERTZ", ["QWERTZ"], [11]),
        ("1234567890", ["1234567890"], [7]),
    ],
)
def test_words_have_a_shape(text: str, parts: list[str], shapes: list[int]) -> None:
    """Letters, digits and signs part; capitals and the number of digits are seen."""
    found = words.split_words(words.SPACE, text)
    assert [word.text for word in found] == parts
    assert [word.shape for word in found] == shapes
    assert [word.gap for word in found] == [words.SPACE] + [words.NO_GAP] * (len(parts) - 1)


def test_gaps_distinguish_lines_from_spaces() -> None:
    """Signatures and addresses are recognised by their line breaks."""
    gaps = [gap for gap, _ in words.split_stretches(" a b\tc\nd\n\ne\r\nf")]
    assert gaps == [
        words.START, words.SPACE, words.WIDE, words.LINE, words.BLANK_LINE, words.LINE
    ]  # fmt: skip


def test_a_word_falls_into_the_longest_known_pieces() -> None:
    """Accents and capitals do not matter; a sign that no piece holds is unknown."""
    pieces = WordPieces(["[UNK]", "mu", "##ll", "##ller", "##l", "##e", "muller", "\u5f20", "un"])
    assert pieces.of("M\u00fcller") == [6]
    assert pieces.of("mulle") == [1, 2, 5]
    assert pieces.of("\u5f20\u5f20") == [7, 7]
    assert pieces.of("\u263a") == [0]
    assert pieces.of("muq") == [1, 0]
    assert pieces.of("m" * 500) == [0]


def test_words_are_forgotten_when_there_are_many(tagger: Tagger) -> None:
    """However many words pass: the table stays as large as it is, and the names stay the same."""
    reader = TaggerReader(tagger, CacheSizes(words=300))
    random = Random(3)  # noqa: S311  # not for secrets
    texts = [
        " ".join([*("".join(random.choices("abcdefg", k=6)) for _ in range(20)), PERSONS[n][0]])
        for n in range(40)
    ]
    found = [reader.names([text])[0] for text in texts]
    assert len(reader.chances.words.table) == 301
    assert reader.chances.words.stretches <= 300
    assert found == TaggerReader(tagger).names(texts)


def test_a_text_longer_than_the_memory_is_read_whole(tagger: Tagger, reader: TaggerReader) -> None:
    """More new words at once than are remembered: they are read together, then forgotten."""
    text = " ".join(f"word{number} {PERSONS[number % 40][0]}" for number in range(60))
    expected = reader.names([text])
    assert TaggerReader(tagger, CacheSizes(words=100)).names([text]) == expected


def test_a_text_that_differs_by_a_word_is_read_around_it(
    tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is remembered, to the last bit, by each layer."""
    needs_pure_python()
    random = Random(8)  # noqa: S311  # not for secrets
    text = " ".join(random.choices([word for said, _ in PERSONS for word in said.split()], k=120))
    texts = [text, text.replace(" the ", " Ingrid ", 1), f"{text} (again)", text]
    known = WordChances(tagger)
    known.line(texts)
    computed: list[list[int]] = []
    for some in texts:
        with monkeypatch.context() as patch:
            filled: list[int] = []
            computed.append(filled)
            fill = windows.WindowLevel.fill

            def counted(
                level: windows.WindowLevel,
                rows: Wholes,
                filled: list[int] = filled,
                fill: Callable[[windows.WindowLevel, Wholes], None] = fill,
            ) -> None:
                filled.append(len(rows))
                fill(level, rows)

            patch.setattr(windows.WindowLevel, "fill", counted)
            rows = known.of_text(some)
        assert np.array_equal(rows, _dense(tagger, some))
    assert max(computed[0]) <= len(rows)
    assert not computed[3]  # the last text is known
    levels = [3, 7, 9, 13, 15]  # words that each layer, and the result, see around a word
    for filled in computed[1:3]:
        assert all(count <= most + 3 for count, most in zip(filled, levels, strict=True))


def test_rows_are_not_remembered_if_computing_fails(
    tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window is known only with its row: the next call computes what the failed one did not."""
    needs_pure_python()
    text = PERSONS[0][0]
    known = WordChances(tagger)

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(windows.WindowLevel, "fill", fail)
        with pytest.raises(MemoryError):
            known.of_text(text)
    rows = known.of_text(text)
    assert np.array_equal(rows, _dense(tagger, text))
    assert rows.any()


def test_windows_are_forgotten_when_there_are_many_and_with_their_words(
    tagger: Tagger, reader: TaggerReader
) -> None:
    """The memory keeps its size, and names are those of a reader that remembers more."""
    texts = _messages()[::9]
    expected = reader.names(texts)
    small = TaggerReader(tagger, CacheSizes(words=400, states=90, windows=150))
    assert [small.names([text])[0] for text in [*texts, *texts]] == [*expected, *expected]
    longest = max(len(words.word_spans(text)) for text in texts)
    sizes = [len(level.table) - 1 for level in small.chances.windows.levels]
    assert max(sizes[:-1]) <= max(longest, 90)
    assert 150 <= sizes[-1] <= max(longest, 150)
