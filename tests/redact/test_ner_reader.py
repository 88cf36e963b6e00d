"""The tagger reads every text alike whatever else is in the call, with bounded caches."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldpan.demo.traffic import load_shipped_conversations
from redact.ner import windows, words
from redact.ner.model_files import FOLDERS
from redact.ner.model_format import SHIPPED
from redact.ner.pieces import WordPieces
from redact.ner.tagger import Tagger, TaggerReader
from redact.ner.windows import CacheSizes
from tests.redact.test_ner_stage import PERSONS

_PIECES = st.one_of(
    st.sampled_from([" ", "  ", "\n", "\n\n", "\t", "\u00a0", "'s", "n't", ":-)", "(", "). ", ","]),
    st.sampled_from([word for text, _ in PERSONS for word in text.split()]),
    st.text(max_size=12),
)
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


def test_chances_are_the_same_to_the_last_bit_in_any_company(tagger: Tagger) -> None:
    """A name on the edge of being one must not come and go with its neighbours."""
    texts = [text for text, _ in PERSONS]

    def chances(some: list[str]) -> list[np.ndarray]:
        known = words.WordRows(tagger.vectors, tagger.width)
        laid = known.rows(known.numbers(some), tagger.margin)
        rows = tagger.chances(laid)
        return [rows[first : first + many] for first, many in laid.texts]

    for alone, beside in zip([chances([text])[0] for text in texts], chances(texts), strict=True):
        assert np.array_equal(alone, beside)


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
    assert len(reader.words.table) == 301
    assert reader.words.stretches <= 300
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
    random = Random(8)  # noqa: S311  # not for secrets
    text = " ".join(random.choices([word for said, _ in PERSONS for word in said.split()], k=120))
    texts = [text, text.replace(" the ", " Ingrid ", 1), f"{text} (again)", text]
    known = words.WordRows(tagger.vectors, tagger.width)
    cache = tagger.windows()
    numbers = known.numbers(texts)
    computed: list[list[int]] = []
    for some in numbers:
        with monkeypatch.context() as patch:
            filled: list[int] = []
            computed.append(filled)
            fill = windows.WindowLevel.fill

            def counted(
                level: windows.WindowLevel,
                rows: words.Floats,
                filled: list[int] = filled,
                fill: Callable[[windows.WindowLevel, words.Floats], None] = fill,
            ) -> None:
                filled.append(len(rows))
                fill(level, rows)

            patch.setattr(windows.WindowLevel, "fill", counted)
            (rows,) = cache.rows([some], known.table)
        laid = known.rows([some], tagger.margin)
        ((first, count),) = laid.texts
        assert np.array_equal(rows, tagger.chances(laid)[first : first + count])
    assert max(computed[0]) <= len(numbers[0])
    assert not computed[3]  # the last text is known
    levels = [3, 7, 9, 13, 15]  # words that each layer, and the result, see around a word
    for filled in computed[1:3]:
        assert all(count <= most + 3 for count, most in zip(filled, levels, strict=True))


def test_rows_are_not_remembered_if_computing_fails(
    tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window is known only with its row: the next call computes what the failed one did not."""
    known = words.WordRows(tagger.vectors, tagger.width)
    numbers = known.numbers([PERSONS[0][0]])
    cache = tagger.windows()

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(windows.WindowLevel, "fill", fail)
        with pytest.raises(MemoryError):
            cache.rows(numbers, known.table)
    (rows,) = cache.rows(numbers, known.table)
    assert np.array_equal(rows, tagger.windows().rows(numbers, known.table)[0])
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
    sizes = [len(level.table) - 1 for level in small.windows.levels]
    assert max(sizes[:-1]) <= max(longest, 90)
    assert 150 <= sizes[-1] <= max(longest, 150)
