"""What a value of the hunt is: how it is written, what announces it, and what must be gone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias


@dataclass(frozen=True)
class Value:
    """One value, personal or harmless.

    ``text`` is its plain form. ``gone`` are strings that must not be in the output in any reading:
    ``words`` as whole words, ``gone`` also inside of other characters. ``leads`` are beginnings of
    a sentence that announce it; ``keys`` are keys (words, lower case) that name it; where ``alone``
    it needs neither. ``forms`` are other ways to write it, by name. ``parts`` are several keys with
    their values, for values in more than one field. ``number`` allows a JSON number.
    """

    kind: str
    text: str
    gone: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    alone: bool = False
    forms: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[tuple[str, str], ...] = ()
    number: bool = False
    echo: str = ""
    policy: str = "strict"
    ends_open: bool = False
    """What follows without a space would belong to it: passwords, file names."""


Maker: TypeAlias = Callable[[Random], Value]


def digits(rng: Random, count: int, first: str = "123456789") -> str:
    """Return random digits, the first one out of ``first``."""
    return rng.choice(first) + "".join(rng.choice("0123456789") for _ in range(count - 1))


def letters(rng: Random, count: int, alphabet: str) -> str:
    """Return random characters of an alphabet."""
    return "".join(rng.choice(alphabet) for _ in range(count))


def luhn(number: str) -> str:
    """Return a number with the check digit of ISO/IEC 7812 appended."""
    doubled = [int(c) * (2 - i % 2) for i, c in enumerate(reversed(number))]
    return number + str(-sum(d - 9 * (d > 9) for d in doubled) % 10)


def grouped(text: str, sizes: tuple[int, ...], mark: str) -> str:
    """Return a text in groups of some sizes; what is left over makes the last group."""
    groups, at = [], 0
    for size in sizes:
        groups.append(text[at : at + size])
        at += size
    return mark.join([group for group in [*groups, text[at:]] if group])
