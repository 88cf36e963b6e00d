"""Makes the rules of assembly from the settings: own names, and the price table."""

from goldpan.settings import Settings
from otel.assembly_rules import AssemblyRules, read_own_prices
from otel.price_table import read_price_table
from schemas.text_files import read_text_file


def make_assembly_rules(settings: Settings) -> AssemblyRules:
    """Return the rules. Raises UsageError if the file with prices cannot be read."""
    path = settings.otel.prices
    if path is None:
        prices = read_own_prices()
    else:
        prices = read_price_table(read_text_file(path, str(path)), str(path))
    return AssemblyRules(extra=settings.otel.extra_fields(), prices=prices)
