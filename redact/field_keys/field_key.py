"""A key of a field with its meaning."""

from typing import Final, Literal

from mypy_extensions import mypyc_attr

from redact.field_keys.key_meaning import NamedHolder


@mypyc_attr(acyclic=True)
class FieldKey:
    """A key and its meaning.

    ``name`` is the key, ``label`` its words before a colon, as context for the value below.
    ``rule`` is a type, ``HARMLESS``, or None if nothing is known. ``plain`` keys are words that
    contain nothing personal. With ``certain`` the key alone decides, otherwise the value must look
    like the type. ``part`` is the part of a name: `given`, `family`, or `name` for a key that says
    no more than that. ``reach`` is that of the rule: objects below the key (`all`), or only
    values and lists (`values`). ``inherits`` is False if the rule of a key above does not apply.
    ``shows`` is what the key says about the object around it, ``holds`` about an object below.
    """

    __slots__ = (
        "certain",
        "holds",
        "inherits",
        "label",
        "name",
        "part",
        "plain",
        "reach",
        "rule",
        "shows",
    )

    def __init__(  # noqa: PLR0913, PLR0917  # a plain record
        self,
        name: str,
        rule: str | None,
        label: str,
        plain: bool,  # noqa: FBT001
        certain: bool = True,  # noqa: FBT001, FBT002
        part: str = "",
        reach: Literal["all", "values"] = "all",
        inherits: bool = True,  # noqa: FBT001, FBT002
        shows: Literal["person", "thing", ""] = "",
        holds: NamedHolder = "",
    ) -> None:
        self.name: Final = name
        self.rule: Final = rule
        self.label: Final = label
        self.plain: Final = plain
        self.certain: Final = certain
        self.part: Final = part
        self.reach: Final = reach
        self.inherits: Final = inherits
        self.shows: Final = shows
        self.holds: Final = holds

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FieldKey)
            and self.name == other.name
            and self.rule == other.rule
            and self.label == other.label
            and self.plain == other.plain
            and self.certain == other.certain
            and self.part == other.part
            and self.reach == other.reach
            and self.inherits == other.inherits
            and self.shows == other.shows
            and self.holds == other.holds
        )

    def __hash__(self) -> int:
        return hash((self.name,))


NO_KEY = FieldKey("", None, "", plain=True)
