"""The counts of a period as Ibis queries, which run on DuckDB and on Spark with equal results.

Functions ``…_groups`` read a table of the lake once. Functions ``…_counts`` make of these groups,
or of few rows, one form: ``feature``, ``day`` (in days since 1970), ``value`` and ``n``.

Texts are compared by their bytes, times by their microseconds, bands by exact edges: as on every
engine. Functions have the names of Spark; those of DuckDB are put in their place with the SQL.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any, Final

import ibis

from batch.drift.tally import (
    BAND_EDGES,
    BANDS_PER_OCTAVE,
    CATEGORY_FEATURES,
    EDGE_BITS,
    FINDINGS_FEATURE,
    LABEL_FEATURE,
    LARGEST_BAND,
    LARGEST_NUMBER,
    NO_VALUE,
    NUMERIC_FEATURES,
    OTHER_VALUES,
    P_FAIL_BANDS,
    P_FAIL_FEATURE,
    QUARANTINE_FEATURE,
    SEGMENT_PREFIX,
    SPAN_PREFIX,
    ZERO_BAND,
)

MAX_VALUES: Final = 50
"""How many values of a category, and keys of segments, are counted separately."""

_DAY_US: Final = 86_400_000_000
_COUNTED: Final = ("feature", "day", "value", "n")
_NO_BAND: Final = -20_000
_EDGE_WIDTH: Final = 1e-6
"""In bands. No engine's logarithm is as far from the true one (the largest is 8,192)."""
_PAIRS: Final = "array<struct<key: string, value: string>>"
_FOUND: Final = "struct<label: string, p_fail: float64>"
_ORDER_COLUMNS: Final = ("revision", "decided_at", "label_event_id")
_ORDER: Final = "struct<revision: int64, decided_at: timestamp('UTC', 6), label_event_id: string>"


@ibis.udf.scalar.builtin(name="unix_micros", signature=(("timestamp('UTC', 6)",), "int64"))  # type: ignore[untyped-decorator]
def _unix_micros(moment: Any) -> Any:
    """Return the microseconds since 1970 of a moment, whatever the session's time zone."""


@ibis.udf.scalar.builtin(name="unix_date", signature=(("date",), "int64"))  # type: ignore[untyped-decorator]
def _unix_date(day: Any) -> Any:
    """Return the days since 1970."""


@ibis.udf.scalar.builtin(name="log2", signature=(("float64",), "float64"))  # type: ignore[untyped-decorator]
def _log2(number: Any) -> Any:
    """Return the logarithm of a number above 0; engines differ in the last digits."""


@ibis.udf.scalar.builtin(name="map_entries", signature=(("map<string, string>",), _PAIRS))  # type: ignore[untyped-decorator]
def _map_entries(pairs: Any) -> Any:
    """Return the keys and values of a map."""


@ibis.udf.scalar.builtin(name="array_distinct", signature=(("array<string>",), "array<string>"))  # type: ignore[untyped-decorator]
def _array_distinct(values: Any) -> Any:
    """Return each value of a list once."""


@ibis.udf.agg.builtin(name="max_by", signature=((_FOUND, _ORDER), _FOUND))  # type: ignore[untyped-decorator]
def _max_by(found: Any, order: Any) -> Any:
    """Return what the row with the highest order has."""


def category_groups(traces: Any) -> Any:
    """Return how many traces in force have the same day and categories: one pass for all."""
    keys = [traces.event_date, *(traces[name] for name in CATEGORY_FEATURES)]
    return traces.group_by(keys).aggregate(n=traces.count())


def category_counts(groups: Any) -> Any:
    """Return the counts of the categories from `category_groups`."""
    return union_counts(
        [
            groups.group_by(day=groups.event_date, found=groups[name])
            .aggregate(n=groups.n.sum())
            .select(
                feature=ibis.literal(name),
                day=lambda t: _unix_date(t.day),
                value=lambda t: ibis.coalesce(t.found, ibis.literal(NO_VALUE)),
                n="n",
            )
            for name in CATEGORY_FEATURES
        ]
    )


def number_groups(traces: Any) -> Any:
    """Return how many traces in force of a day have a number in a band, in one pass for all.

    ``code`` is a feature and its band in one whole number, which is cheap to group by.
    """
    codes = [
        (_band(traces[name]) - _NO_BAND) * len(NUMERIC_FEATURES) + place
        for place, name in enumerate(NUMERIC_FEATURES)
    ]
    rows = traces.select(day=traces.event_date, code=ibis.array(codes).unnest())
    return rows.group_by("day", "code").aggregate(n=rows.count())


def number_counts(groups: Any) -> Any:
    """Return the counts of the numbers from `number_groups`."""
    place = groups.code % len(NUMERIC_FEATURES)
    band = (groups.code - place) / len(NUMERIC_FEATURES)
    whole = band.cast("int64") + _NO_BAND
    names = [(number, ibis.literal(name)) for number, name in enumerate(NUMERIC_FEATURES)]
    return groups.select(
        feature=place.cases(*names, else_=ibis.literal("")),
        day=_unix_date(groups.day),
        value=ibis.ifelse(whole == _NO_BAND, ibis.literal(NO_VALUE), whole.cast("string")),
        n="n",
    )


def segment_groups(traces: Any) -> Any:
    """Return how many traces in force of a day have a value of a segment."""
    rows = traces.select(day=traces.event_date, pair=_map_entries(traces.segments).unnest())
    pairs = rows.select("day", key=rows.pair["key"], value=rows.pair["value"])
    return pairs.group_by("day", "key", "value").aggregate(n=pairs.count())


def segment_counts(groups: Any) -> Any:
    """Return the counts of the segments from `segment_groups`."""
    return groups.select(
        feature=ibis.literal(SEGMENT_PREFIX).concat(groups.key),
        day=_unix_date(groups.day),
        value="value",
        n="n",
    )


def label_groups(labels: Any, repeating: Any, period: Any) -> Any:
    """Return how many labels in force of a day have the same word and band of p_fail.

    The day is that of the trace; the label is as of some days after it. ``repeating`` has the
    traces that repeat others. ``period`` is one row: its ``first`` and ``last`` day since 1970, and
    ``settled``, the number of those days. So both periods have the same queries.
    """
    columns = ("trace_id", "trace_started_at", "label", "p_fail", *_ORDER_COLUMNS)
    known = labels.filter(labels.trace_started_at.notnull()).select(*columns)
    known = known.anti_join(repeating, "trace_id").select(*known.columns)
    dated = known.cross_join(period)
    since = _unix_micros(dated.trace_started_at) - dated.first * _DAY_US
    dated = dated.mutate(since=since).filter(
        lambda t: t.since >= 0, lambda t: t.since < (t.last - t.first + 1) * _DAY_US
    )
    number = (dated.since / _DAY_US).floor().cast("int64")  # exact: no more than some years
    dated = dated.mutate(day=dated.first + number)
    until = (dated.day + 1 + dated.settled) * _DAY_US
    settled = dated.filter(_unix_micros(dated.decided_at) < until)
    events = settled.select(
        "day",
        "trace_id",
        found=ibis.struct({"label": settled.label, "p_fail": settled.p_fail}),
        order=ibis.struct({name: settled[name] for name in _ORDER_COLUMNS}),
    )
    in_force = events.group_by("day", "trace_id").aggregate(
        event=_max_by(events.found, events.order)
    )
    found = in_force.select(
        "day", label=in_force.event["label"], band=_p_fail_band(in_force.event["p_fail"])
    )
    return found.group_by("day", "label", "band").aggregate(n=found.count())


def label_counts(groups: Any) -> Any:
    """Return the counts of the labels and of p_fail from `label_groups`."""
    words = groups.group_by("day", value=groups.label).aggregate(n=groups.n.sum())
    bands = groups.group_by("day", groups.band).aggregate(n=groups.n.sum())
    value = ibis.ifelse(bands.band == _NO_BAND, NO_VALUE, bands.band.cast("string"))
    return union_counts(
        [
            words.select(feature=ibis.literal(LABEL_FEATURE), day="day", value="value", n="n"),
            bands.select(feature=ibis.literal(P_FAIL_FEATURE), day="day", value=value, n="n"),
        ]
    )


def finding_counts(redactions: Any, spans: Any) -> Any:
    """Count a record once for each kind replaced in it, or once as without findings."""
    replaced = redactions.counts.filter(lambda one: one["operator"] != "keep")
    kinds = ibis.ifelse(
        replaced.length() == 0,
        ibis.array([ibis.literal(NO_VALUE)]),
        _array_distinct(replaced.map(lambda one: one["type"])),
    )
    rows = redactions.select("_topic", day=redactions.event_date, value=kinds.unnest())
    counted = rows.group_by("_topic", "day", "value").aggregate(n=rows.count())
    return _by_source(counted, FINDINGS_FEATURE, spans)


def quarantine_counts(quarantine: Any, spans: Any) -> Any:
    """Count the records that were set aside, by reason."""
    keys = {"day": quarantine.event_date, "value": quarantine.reason}
    counted = quarantine.group_by("_topic", **keys).aggregate(n=quarantine.count())
    return _by_source(counted, QUARANTINE_FEATURE, spans)


def _by_source(counted: Any, name: str, spans: Any) -> Any:
    """Name the feature: that of spans for the records of topics of spans.

    A record of spans holds many items and other texts, so they are not compared together.
    """
    topics = spans.select(span_topic="_topic").distinct()
    both = counted.left_join(topics, counted["_topic"] == topics.span_topic)
    feature = ibis.ifelse(both.span_topic.isnull(), name, SPAN_PREFIX + name)
    named = both.select(feature=feature, day="day", value="value", n="n")
    summed = named.group_by("feature", "day", "value").aggregate(n=named.n.sum())
    return summed.select("feature", day=_unix_date(summed.day), value="value", n="n")


def common_keys(segments: Any) -> Any:
    """Return the features of the commonest keys of segments, by the traces that have them."""
    valued = segments.filter(segments.value != NO_VALUE)
    keys = valued.group_by("feature").aggregate(n=valued.n.sum())
    return keys.order_by([keys.n.desc(), keys.feature]).limit(MAX_VALUES).select("feature")


def without_value(segments: Any, counts: Any) -> Any:
    """Return how many traces of each day have no label, or no value of a segment."""
    named = counts.filter(counts.feature == LABEL_FEATURE)
    counted = segments.union(named)
    days = counts.filter(counts.feature == CATEGORY_FEATURES[0])
    traces = days.group_by("day").aggregate(traces=days.n.sum())
    known = segments.select("feature").distinct()
    features = known.union(traces.select(feature=ibis.literal(LABEL_FEATURE)).distinct())
    every = traces.cross_join(features)
    sums = counted.group_by("feature", "day").aggregate(n=counted.n.sum())
    both = every.left_join(sums, ["feature", "day"])
    without = both.select(
        feature="feature",
        day="day",
        value=ibis.literal(NO_VALUE),
        n=both.traces - ibis.coalesce(both.n, 0),
    )
    return without.filter(without.n > 0)


def common_values(counts: Any) -> Any:
    """Return the values to count separately: the commonest of each category, all bands."""
    values = counts.group_by("feature", "value").aggregate(n=counts.n.sum())
    order = [values.n.desc(), values.value]
    rank = ibis.row_number().over(ibis.window(group_by=values.feature, order_by=order))
    ranked = values.mutate(rank=rank)
    ordered = ranked.feature.isin([*NUMERIC_FEATURES, P_FAIL_FEATURE])
    return ranked.filter((ranked.rank < MAX_VALUES) | ordered).select("feature", "value")


def tally_cells(counts: Any, separate: Any) -> Any:
    """Return the counts of the values in a table, and of their features' other values."""
    features = separate.select("feature").distinct()
    rows = rows_of(counts, features)
    shown = separate.select("feature", shown="value")
    matched = rows.left_join(shown, [rows.feature == shown.feature, rows.value == shown.shown])
    value = ibis.coalesce(matched.shown, ibis.literal(OTHER_VALUES))
    named = matched.select(feature="feature", day="day", value=value, n="n")
    return named.group_by("feature", "day", "value").aggregate(n=named.n.sum())


def rows_of(counts: Any, features: Any) -> Any:
    """Return the counts of the features in a table."""
    return counts.semi_join(features, "feature").select(*_COUNTED)


def union_counts(parts: Sequence[Any]) -> Any:
    """Return the counts of all parts."""
    return reduce(lambda one, other: one.union(other), (part.select(*_COUNTED) for part in parts))


def _band(number: Any) -> Any:
    """Return the band of a number (`batch.drift.tally.assign_band`), `_NO_BAND` for none.

    The logarithm decides, except near an edge: there its last digits differ by engine, so the
    number is compared with the edge. Dividing by a power of two is exact.
    """
    value = number.cast("float64")
    bands = _log2(value) * BANDS_PER_OCTAVE
    nearest = (bands + 0.5).floor()
    octave = (nearest / BANDS_PER_OCTAVE).floor()
    places = (nearest - octave * BANDS_PER_OCTAVE).cast("int64")
    edges = [(place, ibis.literal(edge, "int64")) for place, edge in enumerate(BAND_EDGES)]
    edge = places.cases(*edges, else_=ibis.literal(0, "int64"))
    # Whole numbers: a fraction in SQL is a decimal, which each engine rounds in its own way.
    units = value / (ibis.literal(2) ** octave) * ibis.literal(2**EDGE_BITS, "int64")
    reached = units >= edge
    exact = ibis.ifelse(reached, nearest, nearest - 1)
    is_near = (bands - nearest).abs() < _EDGE_WIDTH
    band = ibis.ifelse(is_near, exact, bands.floor()).cast("int64")
    return ibis.cases(
        (value.isnull() | value.isnan(), ibis.literal(_NO_BAND, "int64")),
        (value <= 0, ibis.literal(ZERO_BAND, "int64")),
        (value > LARGEST_NUMBER, ibis.literal(LARGEST_BAND, "int64")),
        else_=band,
    )


def _p_fail_band(p_fail: Any) -> Any:
    """Return the band of a probability: the product is rounded as everywhere, then cut."""
    return ibis.cases(
        (p_fail.isnull() | p_fail.isnan(), ibis.literal(_NO_BAND, "int64")),
        (p_fail >= 1, ibis.literal(P_FAIL_BANDS - 1, "int64")),
        (p_fail <= 0, ibis.literal(0, "int64")),
        else_=ibis.least((p_fail * P_FAIL_BANDS).floor().cast("int64"), P_FAIL_BANDS - 1),
    )
