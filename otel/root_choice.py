"""Chooses the turn of a trace that has several roots: one row is one turn.

Applications put several turns into one trace by an id of their own, and proxies by a header that
they never renew. The choice depends on the set of spans only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from otel.signals import OtelSpan
from otel.span_tree import SpanTree
from otel.span_view import SpanView

_TURN_ROLES: Final = frozenset({"model", "agent", "chain"})


def narrow_to_turn(tree: SpanTree, views: Mapping[str, SpanView]) -> SpanTree:
    """Return the part of a trace that belongs to its chosen root; the tree itself if it has one.

    Chosen is the root that starts first among those with a model call, an agent or a chain at or
    below them; ties are broken by span id, and without such a root the first of all is chosen.
    Spans below no root stay too, unless they start while another such root runs.
    """
    roots = [span for span in tree.spans.values() if span.parent_span_id is None]
    if len(roots) < 2:
        return tree
    tops = _find_tops(tree)
    active = {tops[span_id] for span_id, view in views.items() if view.role in _TURN_ROLES}
    turns = [root for root in roots if root.span_id in active]
    chosen = min(turns or roots, key=lambda root: (root.start_ns, root.span_id))
    others = [root for root in turns if root is not chosen]
    root_ids = {root.span_id for root in roots}
    kept = {
        span_id: span
        for span_id, span in tree.spans.items()
        if tops[span_id] == chosen.span_id
        or (tops[span_id] not in root_ids and not _is_claimed(tree.spans[tops[span_id]], others))
    }
    return replace(
        tree,
        spans=kept,
        orphans=tree.orphans & kept.keys(),
        cyclic=tree.cyclic & kept.keys(),
    )


def _is_claimed(top: OtelSpan, roots: Sequence[OtelSpan]) -> bool:
    """Return whether a span starts while one of the roots runs; one without an end still runs."""
    return any(
        root.start_ns <= top.start_ns and (not root.end_ns or top.start_ns <= root.end_ns)
        for root in roots
    )


def _find_tops(tree: SpanTree) -> dict[str, str]:
    """Return for each span the highest one above it. Each span is visited once.

    A span on or below a cycle of parents is its own.
    """
    tops = {span_id: span_id for span_id in tree.cyclic}
    for start in tree.spans:
        path = []
        current = start
        while current not in tops:
            path.append(current)
            parent = tree.spans[current].parent_span_id
            if parent is None or parent not in tree.spans:
                tops[current] = current
                break
            current = parent
        tops.update(dict.fromkeys(path, tops[current]))
    return tops
