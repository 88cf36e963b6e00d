"""The rules that an assembled row depends on beside its spans, and their version."""

from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from typing import Final

from otel.dialects import MAPPING_VERSION
from otel.json_documents import content_digest
from otel.price_table import PriceTable, read_price_table
from otel.span_view import ExtraFields

PRICES_FILE: Final = "prices.yaml"


def read_own_prices() -> PriceTable:
    """Return the price table that goldpan brings with it."""
    text = files("otel").joinpath(PRICES_FILE).read_text(encoding="utf-8")
    return read_price_table(text, PRICES_FILE)


@dataclass(frozen=True)
class AssemblyRules:
    """Further names of the application's own attributes, and the price table.

    Without a price table no cost is computed.
    """

    extra: ExtraFields = field(default_factory=dict)
    prices: PriceTable | None = None

    @cached_property
    def mapping(self) -> str:
        """The version of the mapping, as the column ``_mapping`` has it.

        Rows with the same value follow from their spans by the same rules: it holds the version
        of the code, that of the prices, and a digest of everything that can be set.
        """
        names = {name: [source.label for source in self.extra[name]] for name in sorted(self.extra)}
        prices = self.prices.model_dump() if self.prices is not None else None
        version = self.prices.version if self.prices is not None else "no-prices"
        return f"{MAPPING_VERSION}/{version}/{content_digest([names, prices])[:8]}"


DEFAULT_RULES: Final = AssemblyRules()
"""No further names and no prices."""
