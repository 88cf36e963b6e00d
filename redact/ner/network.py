"""The network of the shipped kind of model as plain matrices: spaCy's answers in less time.

spaCy takes some hundred steps through layers for a few texts at a time, and walks over them word by
word. Here all texts go through the convolutions together; and as the parser, while no name is open,
looks at one word alone, what it would do there is worked out for all words at once. Weights and
layers are spaCy's (``TransitionBasedParser.v2`` on ``MultiHashEmbed.v2`` and
``MaxoutWindowEncoder.v2``); only the order differs in which some numbers are added. That the
answers are equal is tested.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from spacy.language import Language
from spacy.tokens import Doc

from redact.ner.words import Floats, Laid

_TINY = 1e-8
"""What thinc adds to a variance."""

_COMPONENT = "ner"
_KIND: dict[tuple[str, ...], dict[str, object]] = {
    (): {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "use_upper": True,
    },
    ("tok2vec",): {"@architectures": "spacy.Tok2Vec.v2"},
    ("tok2vec", "embed"): {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "include_static_vectors": False,
    },
    ("tok2vec", "encode"): {
        "@architectures": "spacy.MaxoutWindowEncoder.v2",
        "window_size": 1,
    },
}


class Name(NamedTuple):
    """From the word ``first`` to the word ``last`` of a text there is a name: its label."""

    label: str
    first: int
    last: int


class Network:
    """The weights of a pipeline's component for names.

    ``width`` is how many numbers make a word's vector, ``gap`` how many empty rows stand between
    two texts: as many as the convolutions look to each side.
    """

    def __init__(self, nlp: Language) -> None:
        component: Any = nlp.get_pipe(_COMPONENT)
        words, lower, upper = component.model.layers
        tok2vec, _, linear = words.layers
        encode = tok2vec.get_ref("encode")
        self._embed = tok2vec.get_ref("embed")
        self._layers = [
            _Maxout(maxout, norm)
            for maxout, norm in zip(_all(encode, "maxout"), _all(encode, "layernorm"), strict=True)
        ]
        self._moves = _Moves(component.moves, linear, lower, upper)
        self.width: int = tok2vec.get_dim("nO")
        self.gap = len(self._layers)

    @classmethod
    def of(cls, nlp: Language) -> Self | None:
        """Return the network of a pipeline, None if it is of another kind."""
        return cls(nlp) if _is_of_this_kind(nlp) else None

    def vectors(self, docs: Sequence[Doc]) -> list[Floats]:
        """Return a row for each word of each text, which depends on the word alone."""
        found: list[Floats] = self._embed.predict(docs)
        return found

    def names(self, laid: Laid) -> list[list[Name]]:
        """Return the names in each of some texts, in order."""
        return self._moves.names(laid._replace(vectors=self.encoded(laid)))

    def encoded(self, laid: Laid) -> Floats:
        """Return a row for each word, which depends on the words around it too."""
        width, vectors = self.width, laid.vectors
        around = np.zeros((len(vectors), 3 * width), np.float32)
        for layer in self._layers:
            around[1:, :width] = vectors[:-1]
            around[:, width : 2 * width] = vectors
            around[:-1, 2 * width :] = vectors[1:]
            vectors = vectors + layer(around)
        return vectors


class _Maxout:
    """The largest of some linear forms, then brought to mean 0 and variance 1, and scaled."""

    def __init__(self, maxout: Any, norm: Any) -> None:
        weights = maxout.get_param("W")
        self._many, self._pieces, inputs = weights.shape
        # The pieces stand side by side, so that the largest is taken of whole blocks.
        self._weights = _solid(weights.transpose(1, 0, 2).reshape(-1, inputs).T)
        self._bias = _solid(maxout.get_param("b").T.reshape(-1))
        self._scale, self._shift = norm.get_param("G"), norm.get_param("b")
        self._mean = np.full(self._many, 1 / self._many, np.float32)

    def __call__(self, vectors: Floats) -> Floats:
        sums = vectors @ self._weights
        sums += self._bias
        best = _largest(sums, self._pieces)
        best -= (best @ self._mean)[:, None]
        variance = np.einsum("ij,ij->i", best, best)
        variance /= self._many
        variance += _TINY
        best /= np.sqrt(variance)[:, None]
        best *= self._scale
        best += self._shift
        return best


class _States(NamedTuple):
    """What a word adds to the parser's state: as the one looked at, as the first of the name that
    is open, and as the last before.
    """

    now: Floats
    first: Floats
    before: Floats


class _Moves:
    """The parser: says of each word whether a name begins there, goes on or ends."""

    def __init__(self, moves: Any, linear: Any, lower: Any, upper: Any) -> None:
        weights = lower.get_param("W").transpose(0, 2, 1, 3)
        parts, self._pieces, hidden, inputs = weights.shape
        self._linear, self._linear_bias = _solid(linear.get_param("W").T), linear.get_param("b")
        self._weights = _solid(weights.reshape(-1, inputs).T)
        self._bias = _solid(lower.get_param("b").T.reshape(-1))
        nobody = lower.get_param("pad")[0].transpose(0, 2, 1).reshape(parts, self._pieces * hidden)
        self._outside = _solid(self._bias + nobody[1] + nobody[2])
        names = [moves.get_class_name(number) for number in range(moves.n_moves)]
        scores, added = upper.get_param("W"), upper.get_param("b")
        free = [number for number, name in enumerate(names) if _is_free(name)]
        self._free = [names[number] for number in free]
        self._free_weights, self._free_bias = _solid(scores[free].T), added[free]
        self._none = self._free.index("O")
        self._longer = [column for column, name in enumerate(self._free) if name[:2] == "B-"]
        self._open: dict[str, tuple[Floats, Floats]] = {}
        for number, name in enumerate(names):
            if name[:2] == "I-":
                pair = [number, names.index(f"L-{name[2:]}")]
                self._open[name[2:]] = scores[pair], added[pair]

    def names(self, laid: Laid) -> list[list[Name]]:
        """Return the names of each text, whose words have been through the convolutions."""
        words = laid.vectors @ self._linear + self._linear_bias
        states = _States(*np.split(words @ self._weights, 3, axis=1))
        scores = _largest(states.now + self._outside, self._pieces) @ self._free_weights
        scores += self._free_bias
        ends = [row + many - 1 for row, many in laid.texts if many]
        scores[np.ix_(ends, self._longer)] = -np.inf
        chosen = scores.argmax(axis=1)
        chosen[laid.blank] = self._none
        return [
            list(self._walk(chosen[row : row + many].tolist(), row, states))
            for row, many in laid.texts
        ]

    def _walk(self, chosen: Sequence[int], row: int, states: _States) -> Iterator[Name]:
        done = 0
        for word, number in enumerate(chosen):
            if word < done or number == self._none:
                continue
            move, label = self._free[number][:2], self._free[number][2:]
            last = self._last(label, word, len(chosen), row, states) if move == "B-" else word
            yield Name(label, word, last)
            done = last + 1

    def _last(self, label: str, first: int, many: int, row: int, states: _States) -> int:
        """Return the last word of a name of several words that begins at ``first``."""
        weights, bias = self._open[label]
        begun = states.first[row + first] + self._bias
        for word in range(first + 1, many - 1):
            state = states.now[row + word] + begun + states.before[row + word - 1]
            on, end = weights @ _largest(state[None], self._pieces)[0] + bias
            if end > on:
                return word
        return many - 1


def _largest(sums: Floats, pieces: int) -> Floats:
    """Return of each row the largest of its first numbers, of its second ones, and so on."""
    many = sums.shape[1] // pieces
    best = sums[:, :many]
    for start in range(many, many * pieces, many):
        best = np.maximum(best, sums[:, start : start + many])
    return best


def _is_free(move: str) -> bool:
    """Tell whether a move is possible while no name is open. `U-` without a label never is."""
    return move == "O" or (move[:2] in ("B-", "U-") and len(move) > 2)


def _all(model: Any, name: str) -> list[Any]:
    """Return the layers of a name, in the order in which they run."""
    if model.name == name:
        return [model]
    return [found for layer in model.layers for found in _all(layer, name)]


def _solid(array: npt.NDArray[Any]) -> Floats:
    return np.ascontiguousarray(array, np.float32)


def _is_of_this_kind(nlp: Language) -> bool:
    component: Any = nlp.get_pipe(_COMPONENT)
    if nlp.pipe_names != [_COMPONENT] or nlp.get_pipe_meta(_COMPONENT).factory != "ner":
        return False
    for path, expected in _KIND.items():
        part: Any = nlp.get_pipe_config(_COMPONENT).get("model", {})
        for key in path:
            part = part.get(key, {})
        if any(part.get(key) != value for key, value in expected.items()):
            return False
    return not component.model.attrs["unseen_classes"]
