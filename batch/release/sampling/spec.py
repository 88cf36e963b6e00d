"""The spec of a release: which traces are eligible, how many are drawn, and how.

It is a YAML file. Errors name the line. Omitted keys have the defaults below, and the manifest
holds the complete spec, defaults included.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from batch.release.sampling.columns import NO_LABEL, NUMBER_COLUMNS, TEXT_COLUMNS, is_spec_column
from schemas.errors import UsageError
from schemas.id_lists import parse_id_list
from schemas.text_files import decode_text, read_text_file
from schemas.times import to_utc
from schemas.yaml_documents import DocumentPart, read_yaml_mapping, validate_document

ReleaseName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
SpecText = Annotated[str, StringConstraints(min_length=1, max_length=512)]
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:$|[Tt ]\d\d:)")
_MOMENT_REQUIRED = "must be a day, as in 2026-11-01, or a time, as in 2026-11-01T12:00:00Z"
_ZONE = re.compile(r"\s+(Z|[+-]\d\d(?::?\d\d)?)$")  # YAML allows a space before the zone
SamplingUnit = Literal["trace", "conversation", "user"]
LabelName = Literal["pass", "fail", "unknown", "none"]


def _moment(value: Any) -> datetime:
    """Parse a day as its first moment and a time without a zone as UTC; reject anything else.

    A number could mean seconds since 1970 or a year.
    """
    if isinstance(value, str) and _DAY.match(value):
        try:
            value = datetime.fromisoformat(_ZONE.sub(r"\1", value))
        except ValueError:
            raise ValueError("there is no such day or time") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise ValueError(_MOMENT_REQUIRED)  # noqa: TRY004 - the error that pydantic turns into a sentence
    try:
        return to_utc(value)
    except OverflowError:
        raise ValueError("is before the first day of the calendar, or after the last") from None


Moment = Annotated[datetime, BeforeValidator(_moment)]


def _texts(value: Any) -> Any:
    """Accept a single value as a list of one; reject numbers and words that YAML reads as such."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise ValueError("takes texts: put it in quotes")  # noqa: TRY004 - as in `_moment`
    return value


def _flat(value: Any) -> Any:
    """Reject segments as a nested mapping, which would look like a range of numbers."""
    if isinstance(value, dict) and isinstance(value.get("segments"), dict):
        first = next(iter(value["segments"]), "plan")
        raise ValueError(f"write each segment as one key: `segments.{first}`")  # noqa: TRY004 - as above
    return value


def _policies(value: Any) -> Any:
    """Reject ``any`` inside a list, where it would be read as the hash of a policy."""
    if isinstance(value, list) and "any" in value:
        raise ValueError("write any by itself, not in a list")
    return value


class SpecWindow(DocumentPart):
    """The traces that started in ``[start, end)``, UTC."""

    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError("`from` must be before `to`")
        return self

    @property
    def days(self) -> tuple[date, date]:
        """Return the first and the last day that hold such traces."""
        return self.start.date(), (self.end - timedelta(microseconds=1)).date()


class NumberRange(DocumentPart):
    """Numbers from ``min`` to ``max``, both included."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _has_limit(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give `min`, `max` or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("`min` must not be above `max`")
        return self


SpecValues = Annotated[list[SpecText], BeforeValidator(_texts), Field(min_length=1)]
WhereCondition = Annotated[
    Annotated[SpecValues, Tag("values")] | Annotated[NumberRange, Tag("range")],
    Discriminator(lambda value: "range" if isinstance(value, dict | NumberRange) else "values"),
]


class LabelRequirements(DocumentPart):
    """What the label event in force must state: by default that the answer passed or failed.

    ``min_confidence`` is a lower limit on max(p_fail, 1 - p_fail). ``policies`` lists the label
    policies (``policy_version``) that are accepted; all if empty.
    """

    accept: list[LabelName] = Field(default=["pass", "fail"], min_length=1)
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    policies: list[SpecText] = Field(default=[])
    expected_response: Literal["required", "optional"] = "optional"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.require_event and set(self.accept) == {NO_LABEL}:
            raise ValueError("a trace without a label event cannot meet the other requirements")
        return self

    @property
    def require_event(self) -> bool:
        """Return whether a trace must have a label event."""
        return bool(
            self.min_confidence > 0 or self.policies or self.expected_response == "required"
        )


class NearDuplicateRule(DocumentPart):
    """The least Jaccard similarity of word ``shingle`` s that makes texts near-duplicates."""

    threshold: float = Field(default=0.85, gt=0.5, le=1)
    shingle: int = Field(default=3, ge=1, le=10)
    permutations: int = Field(default=128, ge=64, le=512)


class HoldoutRule(DocumentPart):
    """The share of users in the holdout; all rows of a user or a conversation are on one side.

    ``seed`` is independent of the spec's seed, so that another draw leaves users on their side.
    """

    share: float = Field(gt=0, lt=1)
    seed: int = Field(default=0, ge=0)


class SyntheticRows(DocumentPart):
    """Rows from a generator, in a file of JSON lines: a trace, its ``label``, and optionally its
    ``expected_response``. They are at most ``max_share`` of each stratum's rows.
    """

    file: SpecText
    generator: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$")]
    max_share: float = Field(default=0.2, gt=0, lt=1)


class ExpectationFile(DocumentPart):
    """A file of JSON lines that says what would have been right for traces."""

    file: SpecText


class AllocationRule(DocumentPart):
    """How rows are allocated to strata.

    Each stratum gets at least ``floor`` rows (or all it has). The rest is allocated by share in
    production (``proportional``), evenly (``equal``), or by share in production with failed answers
    and errors weighted ``error_factor`` times (``error_biased``).
    """

    by: Literal["proportional", "equal", "error_biased"] = "proportional"
    floor: int = Field(default=1, ge=1)
    error_factor: float = Field(default=4.0, gt=1, le=1000)


class ReleaseSpec(DocumentPart):
    """A complete, validated spec."""

    name: ReleaseName
    description: Annotated[str, StringConstraints(max_length=2000)] = ""
    seed: int = Field(default=0, ge=0)
    window: SpecWindow
    where: Annotated[dict[str, WhereCondition], BeforeValidator(_flat)] = Field(default={})
    one_per: SamplingUnit = "conversation"
    size: int = Field(ge=1, le=1_000_000)
    strata: list[str] = Field(default=[], max_length=8)
    bands: dict[str, list[float]] = Field(default={})
    allocation: AllocationRule = AllocationRule()
    labels: LabelRequirements = LabelRequirements()
    redaction_policies: Annotated[list[SpecText] | Literal["any"], BeforeValidator(_policies)]
    near_duplicates: NearDuplicateRule | None = NearDuplicateRule()
    must_include: list[SpecText] = Field(default=[])
    adversarial: list[SpecText] = Field(default=[])
    holdout: HoldoutRule | None = None
    synthetic: SyntheticRows | None = None
    expected_documents: ExpectationFile | None = None
    expected_calls: ExpectationFile | None = None
    expired: Literal["refuse", "leave_out"] = "refuse"
    starter: int = Field(default=30, ge=1)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for key, columns in (("where", [*self.where]), ("strata", self.strata)):
            for column in columns:
                if not is_spec_column(column):
                    raise ValueError(
                        f"{key}.{column}: no such column; there are {', '.join(TEXT_COLUMNS)}, "
                        f"{', '.join(NUMBER_COLUMNS)} and segments.…"
                    )
        self._check_kinds()
        if len(set(self.strata)) < len(self.strata):
            raise ValueError("strata: a column is listed twice")
        if self.redaction_policies == []:
            raise ValueError("redaction_policies: list at least one, or write any")
        if both := set(self.must_include) & set(self.adversarial):
            raise ValueError(f"adversarial: {len(both)} of its traces are in must_include too")
        if self.allocation.by == "error_biased" and not {"label", "status"} & set(self.strata):
            raise ValueError("allocation.by: error_biased needs label or status among the strata")
        return self

    def _check_kinds(self) -> None:
        for column, condition in self.where.items():
            if isinstance(condition, NumberRange) != (column in NUMBER_COLUMNS):
                kind = "min and max" if column in NUMBER_COLUMNS else "a list of values"
                raise ValueError(f"where.{column}: takes {kind}")
        for column, limits in self.bands.items():
            if column not in NUMBER_COLUMNS or not limits or limits != sorted(set(limits)):
                raise ValueError(f"bands.{column}: takes a column of numbers and ascending limits")
        for column in self.strata:
            if column in NUMBER_COLUMNS and column not in self.bands:
                raise ValueError(f"strata.{column}: has many values: give its limits in `bands`")

    @property
    def columns(self) -> list[str]:
        """Return every column that the selection filters or stratifies by."""
        return list(dict.fromkeys([*self.where, *self.strata]))

    @property
    def named(self) -> dict[str, str]:
        """Return the traces that are included in any case: trace id to the set that names it."""
        return dict.fromkeys(self.must_include, "must_include") | dict.fromkeys(
            self.adversarial, "adversarial"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the complete spec, defaults included, as JSON values.

        Without a file of expectations it has no key for one, as before there were such files.
        """
        files = {"expected_documents", "expected_calls"}
        without = {name for name in files if getattr(self, name) is None}
        return self.model_dump(mode="json", by_alias=True, exclude=without)


def load_spec(path: Path) -> ReleaseSpec:
    """Read a spec from a file; ``must_include`` and ``adversarial`` may name files next to it.

    Raises UsageError with the line and the reason.
    """
    text = read_text_file(path, f"The spec {path}")

    def read_sibling(name: str) -> bytes:
        return (path.parent / name).read_bytes()

    return parse_spec(text, str(path), read_sibling)


def parse_spec(
    text: str, name: str, read_sibling: Callable[[str], bytes] | None = None
) -> ReleaseSpec:
    """Parse a spec; ``name`` identifies it in messages, ``read_sibling`` reads a file it names.

    Raises UsageError with the line and the reason.
    """
    tree, document = read_yaml_mapping(text, name)
    for key in ("must_include", "adversarial"):
        listed = document.get(key)
        if isinstance(listed, dict) and set(listed) == {"file"} and read_sibling is not None:
            document[key] = _lines(str(listed["file"]), f"{name}: {key}.file", read_sibling)
    return validate_document(ReleaseSpec, document, tree, name)


def _lines(file: str, where: str, read_sibling: Callable[[str], bytes]) -> list[str]:
    try:
        return parse_id_list(decode_text(read_sibling(file)))
    except OSError as error:
        reason = error.strerror
    except ValueError as error:
        reason = str(error)
    raise UsageError(f"{where}: the file {file} cannot be read: {reason}.")
