"""Names of schemas in SQL: those that are words of SQL stand in quotes.

Other names stand as they are given. A quoted name is the one that the database finds without
quotes: Snowflake takes those as upper case, and the others do not tell the cases apart.
"""

from collections.abc import Mapping
from typing import Final

_QUOTES: Final[Mapping[str, str]] = {
    "duckdb": '"',
    "spark": "`",
    "databricks": "`",
    "trino": '"',
    "athena": '"',
    "snowflake": '"',
}
_WORDS: Final = frozenset(
    """
    account all alter analyze and anti any array as asc authorization between both by case
    cast check collate column connect connection constraint create cross cube current
    current_catalog current_date current_path current_role current_schema current_time
    current_timestamp current_user database deallocate default deferrable delete desc describe
    distinct do drop else end escape except execute exists extract false fetch filter
    following for foreign from full grant group grouping having ilike in increment initially
    inner insert intersect interval into is issue join json_array json_exists json_object
    json_query json_table json_value lambda lateral leading left like limit listagg localtime
    localtimestamp minus natural normalize not null of offset on only or order organization
    outer overlaps pivot placing prepare primary qualify recursive references regexp returning
    revoke right rlike rollup row rows sample schema select semi session_user set show skip
    some start summarize symmetric table tablesample then to trailing trigger trim true
    try_cast uescape unescape union unique unknown unnest unpivot update user using values
    variadic view when whenever where window with
    """.split()  # noqa: SIM905 - a list has a line for each word
)
"""Reserved in one of the databases at least; quotes do no harm in the others."""


def quote_words(dialect: str, name: str) -> str:
    """Return a name (its parts with dots) as a database reads it, words of SQL in quotes."""
    return ".".join(_quoted(dialect, part) for part in name.split("."))


def _quoted(dialect: str, part: str) -> str:
    if part.lower() not in _WORDS:
        return part
    quote = _QUOTES[dialect]
    return f"{quote}{part.upper() if dialect == 'snowflake' else part}{quote}"
