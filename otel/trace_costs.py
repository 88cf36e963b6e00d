"""The cost of a trace: what its model calls say, else its root, else the price table."""

from collections.abc import Sequence
from dataclasses import dataclass

from otel.dialect import FieldName
from otel.model_calls import ModelCall
from otel.price_table import PricedCall, PriceTable, compute_cost
from otel.span_view import FieldOrigin, SpanView


@dataclass(frozen=True, slots=True)
class TraceCost:
    """A cost in US dollars. ``is_computed``: a price table gave it, or a part of it;
    ``is_partial``: of some model calls the cost is not known, and they are not in it.
    """

    total: float
    origin: FieldOrigin
    is_computed: bool = False
    is_partial: bool = False


def find_cost(
    answered: Sequence[ModelCall], root: SpanView | None, prices: PriceTable | None
) -> TraceCost | None:
    """Return the cost of the model calls that answered, or None if that of no call is known.

    What the root says of the whole trace counts where not every call says its own. Calls that
    say none are computed from their tokens.
    """
    exported = [call.read_number("cost_usd") for call in answered]
    whole = root.read_number("cost_usd") if root is not None else None
    if whole is not None and None in exported and root not in [c.view for c in answered]:
        return TraceCost(float(whole.value), whole.origin)
    costs: list[float] = []
    origins: list[FieldOrigin] = []
    computed = False
    for call, reading in zip(answered, exported, strict=True):
        if reading is not None:
            costs.append(float(reading.value))
            origins.append(reading.origin)
            continue
        cost = compute_cost(_describe(call), prices) if prices is not None else None
        if cost is not None:
            computed = True
            costs.append(cost)
            place = f"price table {prices.version}" if prices is not None else ""
            origins.append(FieldOrigin(call.view.span.span_id, call.view.dialect.name, place))
    if not costs:
        return None
    is_partial = len(costs) < len(answered)
    return TraceCost(sum(costs), origins[0], is_computed=computed, is_partial=is_partial)


def _describe(call: ModelCall) -> PricedCall:
    texts = [call.read_text(name) for name in ("model_version", "model_requested")]
    provider = call.read_text("model_provider")
    names: tuple[FieldName, ...] = ("input_tokens", "output_tokens", "cached_tokens")
    tokens = [call.read_number(name) for name in names]
    return PricedCall(
        provider=str(provider.value) if provider is not None else None,
        models=[str(text.value) for text in texts if text is not None],
        input_tokens=tokens[0].value if tokens[0] is not None else None,
        output_tokens=tokens[1].value if tokens[1] is not None else None,
        cached_tokens=tokens[2].value if tokens[2] is not None else None,
    )
