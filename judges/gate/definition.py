"""The gate file: what is required of a candidate, of which rows, and how sure it must be.

It is YAML. Errors name the line and the key. ``digest`` is that of all that decides.
"""

from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple, Self, TypeAlias

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from judges.definition import digest_of, short_number
from judges.gate.metric_names import GateMetric, base_name, gate_metric
from judges.gate.readings import BASELINE, CANDIDATE, GateSide
from schemas.text_files import read_text_file
from schemas.yaml_documents import DocumentPart, read_yaml_mapping, validate_document

GateClaim: TypeAlias = Literal["as_judged", "as_humans"]
"""What figures of judges claim: what the judge says, or what reviewers would say."""
GateScope: TypeAlias = Literal["rows", "population"]
"""What estimates speak of: rows like those of the release, each as much as the others, or the
population that its drawn rows are a weighted sample of."""
RequirementRule: TypeAlias = Literal["at_least", "at_most", "no_worse_than_baseline_by"]
MARGIN: Final = "no_worse_than_baseline_by"

_Number = Annotated[float, BeforeValidator(short_number)]
_Share = Annotated[_Number, Field(ge=0, le=1)]
_Level = Annotated[_Number, Field(gt=0, le=0.5)]
_Distance = Annotated[_Number, Field(ge=0)]
_MetricText = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,126}$")]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class MetricRequirement(DocumentPart):
    """What one metric must show; all that is set must hold.

    ``no_worse_than_baseline_by`` compares with the baseline on the same rows, in the metric's unit.
    """

    at_least: _Number | None = None
    at_most: _Number | None = None
    no_worse_than_baseline_by: _Distance | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.rules:
            raise ValueError("it needs at_least, at_most or no_worse_than_baseline_by")
        low, high = self.at_least, self.at_most
        if low is not None and high is not None and low > high:
            raise ValueError("contradictory: at_least is more than at_most")
        return self

    @property
    def rules(self) -> dict[RequirementRule, float]:
        """Return the rules that are set, with their numbers."""
        rules: dict[RequirementRule, float | None] = {
            "at_least": self.at_least,
            "at_most": self.at_most,
            "no_worse_than_baseline_by": self.no_worse_than_baseline_by,
        }
        return {rule: number for rule, number in rules.items() if number is not None}


class RequirementBar(NamedTuple):
    """A rule of a requirement with its number, and the bar that the estimate is held against.

    That of a margin is the difference from the baseline, with its sign. ``more_is_good``: the
    estimate must be at least the bar, not at most.
    """

    rule: RequirementRule
    number: float
    bar: float
    more_is_good: bool


class SegmentRule(DocumentPart):
    """In which segments shares must be no worse, and by how much.

    Worse than the baseline on the same rows, or, without a baseline, than the requirement's bar. A
    segment with fewer than ``min_rows`` rows is left out.
    """

    by: tuple[_Text, ...] = Field(min_length=1, max_length=16)
    no_worse_by: _Share = 0.05
    correction: Literal["holm"] = "holm"
    min_rows: int = Field(default=30, ge=2)


class AgreementLimit(DocumentPart):
    """How far a judge must agree with reviewers, and on how many reviews that must rest."""

    ac1: _Share = 0.6
    reviews: int = Field(default=100, ge=2)


class JudgingLimits(DocumentPart):
    """How many rows may lack a verdict; above it the metric counts as not measured.

    ``agreement_at_least`` binds the claim ``as_humans`` alone.
    """

    at_most_unknown: _Share = 0.2
    at_most_error: _Share = 0.05
    agreement_at_least: AgreementLimit = AgreementLimit()


class CandidateSource(DocumentPart):
    """Where the candidate's outputs are: a file beside the gate file."""

    outputs: _Text


class BaselineSource(DocumentPart):
    """What the candidate is compared with: a run that was kept, or a file of outputs."""

    run: _Text | None = None
    outputs: _Text | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.run is None) == (self.outputs is None):
            raise ValueError("it needs run or outputs, and not both")
        return self


class GateDefinition(DocumentPart):
    """A gate, complete and validated."""

    gate: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
    release: _Text
    candidate: CandidateSource | None = None
    baseline: BaselineSource | None = None
    claim: GateClaim = "as_judged"
    about: GateScope = "rows"
    alpha: _Level = 0.05
    looks: int = Field(default=1, ge=1, le=100)
    require: dict[_MetricText, MetricRequirement] = Field(min_length=1, max_length=64)
    segments: SegmentRule | None = None
    judged: JudgingLimits = JudgingLimits()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        first: dict[str, str] = {}
        for text in self.require:
            name = base_name(text)
            if first.setdefault(name, text) != text:
                raise ValueError(f"require.{text}: the same metric as {first[name]}")
        return self

    @property
    def name(self) -> str:
        """Return the name of the gate."""
        return self.gate

    @property
    def metrics(self) -> dict[str, GateMetric]:
        """Return the required metrics, by the name that the file uses."""
        return {text: gate_metric(text) for text in self.require}

    def bars(self, text: str) -> list[RequirementBar]:
        """Return the rules of a required metric with their bars.

        What is good of a difference is what another rule of the metric says, or the metric itself.
        """
        requirement = self.require[text]
        more_of_difference = not gate_metric(text).less_is_good
        if (requirement.at_least is None) != (requirement.at_most is None):
            more_of_difference = requirement.at_least is not None
        bars = []
        for rule, number in requirement.rules.items():
            more = more_of_difference if rule == MARGIN else rule == "at_least"
            bar = -number if rule == MARGIN and more else number
            bars.append(RequirementBar(rule, number, bar, more))
        return bars

    def is_reviewed(self, metric: GateMetric) -> bool:
        """Return whether a claim about reviewers concerns a metric: those that a judge measures."""
        return self.claim == "as_humans" and bool(metric.judged)

    @property
    def reviewed_sides(self) -> dict[str, tuple[GateSide, ...]]:
        """Return the sides whose answers reviewers see for the claim, by the name of the verdict.

        Both where a difference is required of it.
        """
        sides: dict[str, tuple[GateSide, ...]] = {}
        for text, metric in self.metrics.items():
            if self.is_reviewed(metric):
                is_margin = MARGIN in self.require[text].rules
                is_paired = is_margin or len(sides.get(metric.verdict, ())) > 1
                sides[metric.verdict] = (CANDIDATE, BASELINE) if is_paired else (CANDIDATE,)
        return sides

    @property
    def level(self) -> float:
        """Return the probability of a wrong decision that each look may have.

        ``alpha`` is divided by the planned looks, so that all of them together have it (Bonferroni;
        it holds whatever is seen between two looks).
        """
        return self.alpha / self.looks

    @property
    def digest(self) -> str:
        """Return the SHA-256 (64 hex digits) of all that decides, without where files are."""
        return digest_of(self.model_dump(mode="json", exclude={"candidate", "baseline"}))


_NAME: Final = "The gate file"


def load_gate(path: Path) -> GateDefinition:
    """Read a gate file. Raises UsageError with the line and the reason."""
    return parse_gate(read_text_file(path, f"{_NAME} {path}"), str(path))


def parse_gate(text: str, name: str) -> GateDefinition:
    """Parse a gate; ``name`` identifies it in messages. Raises UsageError with line and reason."""
    tree, document = read_yaml_mapping(text, name)
    return validate_document(GateDefinition, document, tree, name)
