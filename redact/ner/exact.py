"""Arithmetic whose sums are exact, so that a name model gives the same on every processor.

A sum of floats depends on its order, which BLAS chooses by processor and by number of rows. Here
all that is summed is a whole number, in floats so that BLAS multiplies them, and the sums stay
within what such floats hold exactly. All else is done element by element, as IEEE 754 defines it.
So a row has the same result in any company, in any order, and on any number of threads.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Wholes = npt.NDArray[np.int16]
"""States of words in steps of 1/64, or probabilities in steps of 1/16,384."""

STATE_STEPS: Final = 64
CHANCE_STEPS: Final = 16_384
_LARGEST: Final = 10 * STATE_STEPS
"""The largest state; larger ones are cut."""

_EXACT: Final = 2**24
"""Up to here, floats of 32 bits hold each whole number."""

_FINEST: Final = 16
_TINY: Final = 1e-5
_ROWS: Final = 1_024
"""Rows that are computed at once, so that they fit into the processor's cache."""

_EXPONENTS: Final = 64
"""Entries of the table of exponentials for each whole number."""

POWERS: Final = np.rint(
    np.exp(-np.arange(12 * _EXPONENTS, dtype=np.float64) / _EXPONENTS) * 2**16
).astype(np.float32)


def whole_states(values: Floats) -> Wholes:
    """Return values in steps of states, cut at the largest."""
    return cut(np.rint(values * np.float32(STATE_STEPS)))


def cut(states: Floats) -> Wholes:
    """Return states in steps as what is stored, cut at the largest."""
    inside: Wholes = np.clip(states, -_LARGEST, _LARGEST).astype(np.int16)
    return inside


class ExactProduct:
    """The product of states with a matrix, plus a bias; the weights are rounded.

    ``added`` are tables, of which one row each is added to a sum. They and the weights are as fine
    as the largest possible sum permits.
    """

    def __init__(self, weights: Floats, *added: Floats) -> None:
        for finest in range(_FINEST, -1, -1):
            unit = 2.0**finest * STATE_STEPS
            rounded = np.rint(weights.astype(np.float64) * 2**finest)
            tables = [np.rint(table.astype(np.float64) * unit) for table in added]
            most = np.abs(rounded).sum(axis=0) * _LARGEST
            for table in tables:
                most = most + np.abs(table).max(axis=0)
            if most.max() <= _EXACT:
                break
        else:
            raise ValueError("The weights of the model are too large.")
        self.weights = np.ascontiguousarray(rounded, np.float32)
        self.added = [table.astype(np.float32) for table in tables]
        self.unit = unit
        """What the sum 1 is in the result."""

    def of(self, states: Wholes) -> Floats:
        """Return the products of rows of states, without what is added."""
        sums: Floats = states.astype(np.float32) @ self.weights
        return sums


class ExactMaxout:
    """The maximum of several linear forms, normalised to mean 0 and variance 1, and scaled."""

    def __init__(self, product: ExactProduct, scale: Floats, shift: Floats) -> None:
        self.product = product
        self.added = product.added
        self.width = len(scale)
        self._scale = scale * np.float32(STATE_STEPS)
        self._shift = shift * np.float32(STATE_STEPS)
        self._tiny = _TINY * (product.unit / 4) ** 2

    def of(self, states: Wholes, added: Floats) -> Floats:
        """Return the results of rows of states, in steps of states."""
        sums = self.product.of(states)
        sums += added
        width = self.width
        best: Floats = sums[:, :width]
        for start in range(width, sums.shape[1], width):
            best = np.maximum(best, sums[:, start : start + width])
        best *= np.float32(0.25)  # so that also the sum of their squares is exact
        np.rint(best, out=best)
        wide = best.astype(np.float64)
        means = wide.sum(axis=1) / width
        variances = np.einsum("ij,ij->i", wide, wide) / width - means * means
        factors = 1 / np.sqrt(variances + self._tiny)
        best -= means.astype(np.float32)[:, None]
        best *= factors.astype(np.float32)[:, None]
        best *= self._scale
        best += self._shift
        np.rint(best, out=best)
        return best


def chances_of(scores: Floats, unit: float) -> Wholes:
    """Return probabilities by the exponentials of scores, in which 1 is ``unit``."""
    scores -= scores.max(axis=1, keepdims=True)
    scores *= np.float32(-_EXPONENTS / unit)
    places = np.minimum(scores, len(POWERS) - 1).astype(np.intp)
    powers: Floats = POWERS[places]
    powers *= CHANCE_STEPS / powers.sum(axis=1, keepdims=True)
    np.rint(powers, out=powers)
    return powers.astype(np.int16)


def in_blocks(rows: int) -> list[slice]:
    """Return slices that cover a number of rows, each of limited size."""
    return [slice(start, min(start + _ROWS, rows)) for start in range(0, rows, _ROWS)]
