"""The prices of model calls: found by provider and model name, in US dollars per million tokens."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import Field

from schemas.yaml_documents import DocumentPart, read_yaml_mapping, validate_document

_VARIANT: Final = re.compile(r"(?:[-@](?:\d{4}-\d{2}-\d{2}|\d{3,8}|latest|preview))*")
"""What may follow a model's name without making it another model."""
_PATHS: Final = ("models/", "publishers/google/models/")


class ModelPrice(DocumentPart):
    """The price of a model, in US dollars per million tokens.

    ``cached_input`` is that of input tokens which the provider had in its cache, None if they cost
    as much as others.
    """

    input: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    output: float = Field(ge=0)
    up_to_input_tokens: int | None = Field(default=None, ge=1)


class ProviderPrices(DocumentPart):
    """The models of a provider by name. ``also`` are further names of it in traces."""

    name: str
    source: str
    models: dict[str, ModelPrice]
    also: tuple[str, ...] = ()


class PriceTable(DocumentPart):
    """A price table. ``version`` is the day on which its prices were read."""

    version: str = Field(min_length=1)
    providers: tuple[ProviderPrices, ...]

    def find(self, provider: str | None, model: str) -> ModelPrice | None:
        """Return the price of a model, or None if the table does not know it for certain.

        Without a provider, the model has a price if all providers that offer it agree.
        """
        names = [provider.lower()] if provider else None
        found = {
            _key(price): price
            for offered in self.providers
            if names is None or names[0] in _names(offered)
            if (price := _find_longest(offered.models, _plain_name(model, offered))) is not None
        }
        return next(iter(found.values())) if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class PricedCall:
    """What the price of a model call depends on. Tokens are None if they were not exported.

    ``cached_tokens`` are those of the input tokens that the provider had in its cache.
    """

    provider: str | None
    models: Iterable[str]
    input_tokens: float | None
    output_tokens: float | None
    cached_tokens: float | None = None


def compute_cost(call: PricedCall, prices: PriceTable) -> float | None:
    """Return the cost of a call in US dollars, by the first of its models that has a price."""
    if call.input_tokens is None or call.output_tokens is None:
        return None
    for model in call.models:
        price = prices.find(call.provider, model)
        if price is None:
            continue
        if price.up_to_input_tokens is not None and call.input_tokens > price.up_to_input_tokens:
            return None
        cached = min(call.cached_tokens or 0, call.input_tokens)
        cached_price = price.input if price.cached_input is None else price.cached_input
        paid = (call.input_tokens - cached) * price.input + cached * cached_price
        return (paid + call.output_tokens * price.output) / 1e6
    return None


def read_price_table(text: str, name: str) -> PriceTable:
    """Return the price table in a YAML document. ``name`` is the file, for errors.

    Raises UsageError if the document is not a price table.
    """
    tree, document = read_yaml_mapping(text, name)
    return validate_document(PriceTable, document, tree, name)


def _key(price: ModelPrice) -> tuple[float, float | None, float, int | None]:
    return price.input, price.cached_input, price.output, price.up_to_input_tokens


def _names(offered: ProviderPrices) -> tuple[str, ...]:
    return tuple(name.lower() for name in (offered.name, *offered.also))


def _plain_name(model: str, offered: ProviderPrices) -> str:
    """Return the name of a model in lower case, without a path or the provider before it."""
    name = model.lower()
    for beginning in (*_PATHS, *(f"{provider}/" for provider in _names(offered))):
        name = name.removeprefix(beginning)
    return name


def _find_longest(models: dict[str, ModelPrice], name: str) -> ModelPrice | None:
    """Return the price under the longest key that the name begins with, if the rest is a variant.

    A shorter key is not tried: its model is another one.
    """
    best = max((key for key in models if name.startswith(key.lower())), key=len, default=None)
    if best is None or not _VARIANT.fullmatch(name, len(best)):
        return None
    return models[best]
