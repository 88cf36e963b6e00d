"""The layers of the tagger with their derivatives, in numpy, for training on one core.

Each layer has its numbers in a dictionary of arrays; a ``..._back`` function uses what the forward
function returned.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.intp]
Weights = dict[str, Floats]

_TINY = np.float32(1e-5)


class Maxed(NamedTuple):
    """The intermediate values of a maxout layer with normalised outputs, for its derivative."""

    inputs: Floats
    chosen: list[npt.NDArray[np.bool_]]
    normal: Floats
    deviation: Floats


def maxout(weights: Weights, name: str, inputs: Floats, added: Floats | None = None) -> Any:
    """Return the largest linear form of each row, normalised, and the intermediate values."""
    sums = inputs @ weights[f"{name}.weights"]
    sums += weights[f"{name}.bias"]
    if added is not None:
        sums += added
    width = len(weights[f"{name}.scale"])
    parts = [sums[:, start : start + width] for start in range(0, sums.shape[1], width)]
    best = parts[0].copy()
    for part in parts[1:]:
        np.maximum(best, part, out=best)
    chosen = [part == best for part in parts]
    best -= best.mean(axis=1, keepdims=True)
    deviation = np.sqrt(np.einsum("ij,ij->i", best, best)[:, None] / width + _TINY)
    best /= deviation
    out = best * weights[f"{name}.scale"] + weights[f"{name}.shift"]
    return out, Maxed(inputs, chosen, best, deviation)


def maxout_back(
    weights: Weights, name: str, kept: Maxed, slope: Floats, into: Weights
) -> tuple[Floats, Floats]:
    """Return the slopes of the inputs and of the sums; add those of the weights to ``into``."""
    into[f"{name}.scale"] = np.einsum("ij,ij->j", slope, kept.normal)
    into[f"{name}.shift"] = slope.sum(axis=0)
    inner = slope * weights[f"{name}.scale"]
    mean = inner.mean(axis=1, keepdims=True)
    along = np.einsum("ij,ij->i", inner, kept.normal)[:, None] / inner.shape[1]
    inner -= mean
    inner -= kept.normal * along
    inner /= kept.deviation
    sums = np.concatenate([inner * chosen for chosen in kept.chosen], axis=1)
    into[f"{name}.weights"] = kept.inputs.T @ sums
    into[f"{name}.bias"] = sums.sum(axis=0)
    return sums @ weights[f"{name}.weights"].T, sums


def around(rows: Floats, step: int) -> Floats:
    """Return each row with those ``step`` before and after it, side by side."""
    width = rows.shape[1]
    out = np.zeros((len(rows), 3 * width), np.float32)
    out[step:, :width] = rows[:-step]
    out[:, width : 2 * width] = rows
    out[:-step, 2 * width :] = rows[step:]
    return out


def around_back(slope: Floats, step: int) -> Floats:
    """Return the slope of the rows from the slope of their surroundings."""
    width = slope.shape[1] // 3
    out = slope[:, width : 2 * width].copy()
    out[:-step] += slope[step:, :width]
    out[step:] += slope[:-step, 2 * width :]
    return out


def gathered(values: Floats, index: Integers, many: int) -> Floats:
    """Return ``many`` rows, each the sum of the values with its index."""
    order = np.argsort(index, kind="stable")
    ordered = index[order]
    firsts = np.flatnonzero(np.diff(ordered, prepend=-1))
    out = np.zeros((many, values.shape[1]), np.float32)
    out[ordered[firsts]] = np.add.reduceat(values[order], firsts, axis=0)
    return out


def dropout(random: np.random.Generator, rows: Floats, share: float) -> Floats:
    """Return a mask of factors that sets a share of the numbers to zero."""
    kept = random.random(rows.shape, np.float32) >= share
    return kept.astype(np.float32) / np.float32(1 - share)


class Adam:
    """Adam with decoupled decay and slowly averaged weights (D. Kingma, J. Ba, 2015)."""

    def __init__(self, weights: Weights, *, decay: float, averaging: float) -> None:
        self._weights = weights
        self._decay, self._averaging = decay, averaging
        self._first = {name: np.zeros_like(array) for name, array in weights.items()}
        self._second = {name: np.zeros_like(array) for name, array in weights.items()}
        self.average = {name: array.copy() for name, array in weights.items()}
        self._steps = 0

    def step(self, slopes: Weights, rate: float) -> None:
        """Move the weights against the slopes, which are shortened to length 1 at most."""
        self._steps += 1
        length = float(np.sqrt(sum(float(np.vdot(s, s)) for s in slopes.values())))
        factor = np.float32(min(1.0, 1.0 / (length + 1e-6)))
        one, two = 1 - 0.9**self._steps, 1 - 0.999**self._steps
        keep = np.float32(min(self._averaging, self._steps / (self._steps + 10)))
        for name, slope in slopes.items():
            first, second, array = self._first[name], self._second[name], self._weights[name]
            short = slope * factor
            first += np.float32(0.1) * (short - first)
            second += np.float32(0.001) * (short * short - second)
            change = (
                first / np.float32(one) / (np.sqrt(second / np.float32(two)) + np.float32(1e-8))
            )
            if array.ndim == 2:
                change += np.float32(self._decay) * array
            array -= np.float32(rate) * change
            self.average[name] += (1 - keep) * (array - self.average[name])


def uniform(random: np.random.Generator, shape: Sequence[int]) -> Floats:
    """Return weights drawn after X. Glorot and Y. Bengio (2010)."""
    limit = np.sqrt(6 / (shape[0] + shape[-1]))
    return random.uniform(-limit, limit, shape).astype(np.float32)
