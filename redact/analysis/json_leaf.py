"""A string, a number or a key of a JSON text."""

from typing import Final, Literal

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class JsonLeaf:
    """A string or number of a JSON text, or a key that could contain personal data.

    ``start`` and ``end`` are the span of the literal in the text, including quotation marks.
    ``text`` is its value, ``key`` its key and ``label`` that key in words. ``rule`` is a type,
    ``HARMLESS``, or None if no rule applies. ``owner`` is the number of the object around it. With
    ``certain`` the rule applies to any value; ``part`` is the part of a name, as in
    :class:`redact.field_keys.key_book.FieldKey`.
    """

    __slots__ = ("certain", "end", "key", "kind", "label", "owner", "part", "rule", "start", "text")

    def __init__(  # noqa: PLR0913, PLR0917  # a plain record
        self,
        start: int,
        end: int,
        text: str,
        key: str,
        label: str,
        rule: str | None,
        owner: int,
        kind: Literal["string", "number", "key"],
        certain: bool = True,  # noqa: FBT001, FBT002
        part: str = "",
    ) -> None:
        self.start: Final = start
        self.end: Final = end
        self.text: Final = text
        self.key: Final = key
        self.label: Final = label
        self.rule: Final = rule
        self.owner: Final = owner
        self.kind: Final = kind
        self.certain: Final = certain
        self.part: Final = part

    def under(self, rule: str | None, part: str, owner: int, *, certain: bool) -> "JsonLeaf":
        """Return the same leaf under another rule."""
        return JsonLeaf(
            self.start,
            self.end,
            self.text,
            self.key,
            self.label,
            rule,
            owner,
            self.kind,
            certain,
            part,
        )
