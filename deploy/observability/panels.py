"""The dashboards: each panel answers one question of the engineer on call."""

from deploy.observability.grafana import Dashboard, Panel, Query, Row

_ALL = 'namespace=~"$namespace", topic=~"$topic"'
_WORKER = 'namespace=~"$namespace"'


def _rate(metric: str, by: str, matchers: str = "", selector: str = _ALL) -> str:
    return f"sum by ({by}) (rate({metric}{{{selector}{matchers}}}[$__rate_interval]))"


def _quantile(q: float, metric: str) -> str:
    return f"histogram_quantile({q}, {_rate(f'{metric}_bucket', 'topic, le')})"


_HEALTH = Row(
    "Health",
    (
        Panel(
            "Oldest record not in the lake",
            "Below about a minute is normal: a record waits up to GOLDPAN_STREAM__FLUSH_SECONDS "
            "by design. Alert above 300 s.",
            (Query(f"max(goldpan:lag_seconds:max{{{_ALL}}})"),),
            unit="s",
            kind="stat",
            width=6,
            height=4,
            bad=300,
        ),
        Panel(
            "Late records, last hour",
            "Share of records stored later than 120 s after their event. The objective is 1 %.",
            (Query(f"max(goldpan:freshness_late:ratio_rate1h{{{_ALL}}})"),),
            unit="percentunit",
            kind="stat",
            width=6,
            height=4,
            bad=0.01,
        ),
        Panel(
            "Workers ready",
            "Workers that have taken their positions and can reach the lake.",
            (Query(f"sum(goldpan_ready{{{_WORKER}}})"),),
            kind="stat",
            width=4,
            height=4,
        ),
        Panel(
            "Partitions owned",
            "Must be all partitions of the topics; it dips for seconds at a rebalance.",
            (Query(f"sum by (topic) (goldpan_partitions_owned{{{_ALL}}})", "{{topic}}"),),
            kind="stat",
            width=4,
            height=4,
        ),
        Panel(
            "Versions and policies",
            "More than one line for longer than a rollout raises an alert.",
            (Query(f"count by (version, policy) (goldpan_build_info{{{_WORKER}}})"),),
            kind="table",
            width=4,
            height=4,
        ),
    ),
)

_FRESH = Row(
    "Freshness and lag",
    (
        Panel(
            "From event to lake",
            "Per record. Late producers show here and not in the lag.",
            (
                Query(_quantile(0.5, "goldpan_freshness_seconds"), "{{topic}} half"),
                Query(_quantile(0.95, "goldpan_freshness_seconds"), "{{topic}} 95 %"),
                Query(_quantile(0.99, "goldpan_freshness_seconds"), "{{topic}} 99 %"),
            ),
            unit="s",
            bad=120,
        ),
        Panel(
            "Lag, seconds",
            "Age of the oldest record not in the lake, for the ten oldest partitions.",
            (Query(f"topk(10, goldpan:lag_seconds:max{{{_ALL}}})", "{{topic}}/{{partition}}"),),
            unit="s",
            bad=300,
        ),
        Panel(
            "Lag, records",
            "Offsets between the position in the table and the end of the partition.",
            (Query(f"sum by (topic) (goldpan:lag_records:max{{{_ALL}}})", "{{topic}}"),),
        ),
        Panel(
            "Error budget burn",
            "Share of late records over four windows. Alerts: 14.4 % over an hour, 6 % over six.",
            (
                Query(f"goldpan:freshness_late:ratio_rate5m{{{_ALL}}}", "{{topic}} 5 min"),
                Query(f"goldpan:freshness_late:ratio_rate1h{{{_ALL}}}", "{{topic}} 1 h"),
                Query(f"goldpan:freshness_late:ratio_rate6h{{{_ALL}}}", "{{topic}} 6 h"),
                Query(f"goldpan:freshness_late:ratio_rate3d{{{_ALL}}}", "{{topic}} 3 d"),
            ),
            unit="percentunit",
            bad=0.01,
        ),
        Panel(
            "Position progress",
            "Offsets per second by which each topic's positions advance.",
            (
                Query(
                    f"sum by (topic) (rate(goldpan:position:max{{{_ALL}}}[$__rate_interval]))",
                    "{{topic}}",
                ),
            ),
            unit="cps",
        ),
    ),
)

_WORK = Row(
    "Throughput",
    (
        Panel(
            "Records committed",
            "By outcome: stored, quarantined, dropped, skipped.",
            (Query(_rate("goldpan_records_total", "topic, outcome"), "{{topic}} {{outcome}}"),),
            unit="cps",
            stacked=True,
        ),
        Panel(
            "Records read",
            "Read from Kafka; records read but not committed are in the buffer.",
            (Query(_rate("goldpan_records_read_total", "topic"), "{{topic}}"),),
            unit="cps",
        ),
        Panel(
            "Bytes read and written",
            "Values from Kafka, and data files into the lake.",
            (
                Query(_rate("goldpan_bytes_read_total", "topic"), "{{topic}} read"),
                Query(_rate("goldpan_bytes_written_total", "topic"), "{{topic}} written"),
            ),
            unit="Bps",
        ),
        Panel(
            "Size of a data file",
            "Small files slow down readers. Late rows of many days create them.",
            (
                Query(
                    f"{_rate('goldpan_bytes_written_total', 'topic')} / "
                    f"{_rate('goldpan_files_written_total', 'topic')}",
                    "{{topic}}",
                ),
            ),
            unit="bytes",
        ),
        Panel(
            "Memory of the workers",
            "Resident memory compared with the ceiling, buffers with their share of it.",
            (Query(f"max by (of) (goldpan_memory_bytes{{{_WORKER}}})", "{{of}}"),),
            unit="bytes",
        ),
        Panel(
            "Redaction cache hits",
            "Share of lookups that the redaction cache answered: the CPU time it saves.",
            (
                Query(
                    _rate(
                        "goldpan_redaction_cache_lookups_total",
                        "namespace",
                        ', result="hit"',
                        _WORKER,
                    )
                    + " / "
                    + _rate("goldpan_redaction_cache_lookups_total", "namespace", selector=_WORKER)
                ),
            ),
            unit="percentunit",
        ),
    ),
)

_COMMITS = Row(
    "Commits and failures",
    (
        Panel(
            "Time of a flush",
            "Encoding, uploading and committing; S3 or a lack of CPU makes it slow.",
            (
                Query(_quantile(0.5, "goldpan_commit_seconds"), "{{topic}} half"),
                Query(_quantile(0.95, "goldpan_commit_seconds"), "{{topic}} 95 %"),
            ),
            unit="s",
            bad=30,
        ),
        Panel(
            "Flushes",
            "A fenced flush found a position moved by another worker: normal only at a rebalance.",
            (Query(_rate("goldpan_flushes_total", "topic, outcome"), "{{topic}} {{outcome}}"),),
            unit="cps",
        ),
        Panel(
            "Retries",
            "By step: the external system that does not answer.",
            (Query(_rate("goldpan_retries_total", "step", selector=_WORKER), "{{step}}"),),
            unit="cps",
        ),
        Panel(
            "Commits with unknown outcome",
            "Settled by reading the position; and how many of them had succeeded.",
            (
                Query(
                    _rate("goldpan_commits_unknown_total", "table", selector=_WORKER), "{{table}}"
                ),
                Query(
                    _rate("goldpan_commits_settled_total", "table", selector=_WORKER),
                    "{{table}} landed",
                ),
            ),
            unit="cps",
        ),
        Panel(
            "Rebalances",
            "Assignments, revocations after a flush, losses without one.",
            (Query(_rate("goldpan_rebalances_total", "kind", selector=_WORKER), "{{kind}}"),),
            unit="cps",
        ),
        Panel(
            "Paused",
            "1 while a worker does not read: memory is full, or an external step fails.",
            (Query(f"max by (why) (goldpan_paused{{{_WORKER}}})", "{{why}}"),),
        ),
    ),
)

OPERATIONS = Dashboard(
    "goldpan-operations",
    "goldpan: operations",
    "Lag, freshness, throughput, errors. Start here.",
    "goldpan_records_read_total",
    ("namespace", "topic"),
    (_HEALTH, _FRESH, _WORK, _COMMITS),
)

_REDACTION = "redaction_failed|residual_pii|personal_id"

QUALITY = Dashboard(
    "goldpan-quality",
    "goldpan: data quality",
    "What is quarantined and why, what is lost, what could not be redacted.",
    "goldpan_records_read_total",
    ("namespace", "topic"),
    (
        Row(
            "Quarantine",
            (
                Panel(
                    "Share in quarantine",
                    "Of the records read. A ticket above 1 %, a page above 20 %.",
                    (Query(f"goldpan:quarantined:ratio_rate15m{{{_ALL}}}", "{{topic}}"),),
                    unit="percentunit",
                    bad=0.01,
                ),
                Panel(
                    "Broken contract, by reason",
                    "Producers that send records no schema allows. `goldpan quarantine list` shows "
                    "details.",
                    (
                        Query(
                            _rate(
                                "goldpan_quarantined_total",
                                "topic, reason",
                                f', reason!~"{_REDACTION}"',
                            ),
                            "{{topic}} {{reason}}",
                        ),
                    ),
                    unit="cps",
                    stacked=True,
                ),
                Panel(
                    "Not redacted, by reason",
                    "Quarantined because personal data could not be removed, or was still found.",
                    (
                        Query(
                            _rate(
                                "goldpan_quarantined_total",
                                "topic, reason",
                                f', reason=~"{_REDACTION}"',
                            ),
                            "{{topic}} {{reason}}",
                        ),
                    ),
                    unit="cps",
                    stacked=True,
                ),
            ),
        ),
        Row(
            "Personal data",
            (
                Panel(
                    "Personal data found",
                    "Values that redaction replaced in stored records, by type; only where "
                    "GOLDPAN_REDACT__AUDIT is on.",
                    (Query(_rate("goldpan_findings_total", "type"), "{{type}}"),),
                    unit="cps",
                    stacked=True,
                    width=12,
                ),
                Panel(
                    "Findings per record",
                    "Findings per stored record. A step means that producers send something new or "
                    "that a policy has changed.",
                    (
                        Query(
                            _rate("goldpan_findings_total", "topic")
                            + " / on (topic) "
                            + _rate("goldpan_records_total", "topic", ', outcome="stored"'),
                            "{{topic}}",
                        ),
                    ),
                    width=12,
                ),
            ),
        ),
        Row(
            "Fate of records",
            (
                Panel(
                    "Records by outcome",
                    "Every record read is stored, quarantined, or dropped by a named rule; offsets "
                    "without a record are skipped.",
                    (Query(f"sum by (outcome) (goldpan:records:rate5m{{{_ALL}}})", "{{outcome}}"),),
                    unit="cps",
                    stacked=True,
                ),
                Panel(
                    "Lost to retention",
                    "Offsets that Kafka deleted before they were read. Anything but 0 is a loss.",
                    (Query(f"sum by (topic) (goldpan_lost_offsets_total{{{_ALL}}})", "{{topic}}"),),
                    bad=1,
                ),
                Panel(
                    "Late at the source",
                    "99 of 100 records are younger than this when they reach the lake. Far above "
                    "the lag means that producers send late.",
                    (Query(_quantile(0.99, "goldpan_freshness_seconds"), "{{topic}}"),),
                    unit="s",
                ),
            ),
        ),
    ),
)

_LABELLED = Row(
    "Labels",
    (
        Panel(
            "Labels decided",
            "By verdict and by route: decided, to a reviewer, to the audit.",
            (
                Query(
                    _rate("goldpan_labels_total", "label, route", selector=_WORKER),
                    "{{label}} {{route}}",
                ),
            ),
            unit="cps",
            stacked=True,
        ),
        Panel(
            "Time to a label",
            "95 of 100 labels are committed sooner: after the feedback that caused them, and "
            "after the trace began (which includes waiting for the user).",
            (
                Query(
                    "histogram_quantile(0.95, "
                    + _rate(
                        "goldpan_label_turnaround_seconds_bucket", "since, le", selector=_WORKER
                    )
                    + ")",
                    "since the {{since}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            "Late labels, last hour",
            "Share of labels later than 300 s after their feedback. A ticket above 5 %.",
            (Query(f"goldpan:label_late:ratio_rate1h{{{_WORKER}}}", "{{namespace}}"),),
            unit="percentunit",
            bad=0.05,
        ),
        Panel(
            "Contents of the join",
            "Traces in its window, feedback, and missing traces that feedback refers to.",
            (
                Query(f"sum(goldpan_join_traces{{{_WORKER}}})", "traces"),
                Query(f"sum(goldpan_join_feedback{{{_WORKER}}})", "feedback"),
                Query(f"sum(goldpan_join_waiting{{{_WORKER}}})", "waited for"),
            ),
        ),
        Panel(
            "Memory of the join",
            "By worker; a part of the worker's memory.",
            (Query(f"goldpan_join_bytes{{{_WORKER}}}", "{{instance}}"),),
            unit="bytes",
        ),
        Panel(
            "Skipped by the join",
            "Late and unmatched records: `goldpan labels reconcile` finds them in the lake.",
            (Query(_rate("goldpan_join_passed_over_total", "why", selector=_WORKER), "{{why}}"),),
            unit="cps",
        ),
        Panel(
            "Label events sent to the topic",
            "Only where GOLDPAN_LABELS__TOPIC is set; repeated sends are counted again.",
            (Query(_rate("goldpan_label_events_produced_total", "namespace", selector=_WORKER)),),
            unit="cps",
        ),
        Panel(
            "Pairs of partitions joined",
            "Partitions of the two topics that the workers join.",
            (Query(f"sum(goldpan_join_partitions{{{_WORKER}}})", "joined"),),
        ),
        Panel(
            "Left to the batch job",
            "1 where a worker cannot decide labels, by reason; the nightly job decides them.",
            (Query(f"max by (why) (goldpan_labels_left_to_batch{{{_WORKER}}})", "{{why}}"),),
            bad=1,
        ),
    ),
)

_ASSEMBLED = Row(
    "Assembly of traces",
    (
        Panel(
            "Open traces",
            "Traces with spans that no assembly has seen yet.",
            (Query(f"sum(goldpan_open_traces{{{_WORKER}}})", "open"),),
        ),
        Panel(
            "Oldest open trace",
            "By worker. A ticket above 65 minutes.",
            (Query(f"goldpan_oldest_open_trace_seconds{{{_WORKER}}}", "{{instance}}"),),
            unit="s",
            bad=3900,
        ),
        Panel(
            "Assembled traces",
            "New rows, revised ones, and traces whose row did not change.",
            (
                Query(
                    _rate("goldpan_assembled_traces_total", "outcome", selector=_WORKER),
                    "{{outcome}}",
                ),
            ),
            unit="cps",
        ),
        Panel(
            "Traces without a row",
            "By reason; health checks and tools alone are normal.",
            (
                Query(
                    _rate("goldpan_traces_without_row_total", "reason", selector=_WORKER),
                    "{{reason}}",
                ),
            ),
            unit="cps",
        ),
        Panel(
            "Incomplete rows",
            "By what they lack; a row may lack several things.",
            (
                Query(
                    _rate("goldpan_incomplete_traces_total", "reason", selector=_WORKER),
                    "{{reason}}",
                ),
            ),
            unit="cps",
        ),
        Panel(
            "Feedback that waits for its trace",
            "In the worker; after the term it is left to `goldpan otel reconcile`.",
            (Query(f"sum(goldpan_waiting_feedback{{{_WORKER}}})", "waiting"),),
        ),
        Panel(
            "Feedback that was refused",
            "By reason; it stays in `otel_spans`. Erased persons' feedback is normal.",
            (
                Query(
                    _rate("goldpan_refused_feedback_total", "reason", selector=_WORKER),
                    "{{reason}}",
                ),
            ),
            unit="cps",
        ),
        Panel(
            "Spans that no dialect recognises",
            "By topic. They are stored, and no row of `traces` comes from them.",
            (
                Query(
                    _rate("goldpan_spans_unrecognised_total", "topic", selector=_WORKER),
                    "{{topic}}",
                ),
            ),
            unit="cps",
        ),
        Panel(
            "Rows without content",
            "The application exports no texts; the worker's log names the setting once.",
            (
                Query(
                    f"sum(rate(goldpan_traces_without_content_total{{{_WORKER}}}[$__rate_interval]))",
                    "rows",
                ),
            ),
            unit="cps",
        ),
    ),
)

_REVIEWED = Row(
    "Review queue",
    (
        Panel(
            "Waiting for a reviewer",
            "Uncertain labels, and the random sample of the audit.",
            (Query(f"sum by (arm) (goldpan_review_open{{{_WORKER}}})", "{{arm}}"),),
            stacked=True,
        ),
        Panel(
            "Past their deadline",
            "Open items past the deadline of the label policy. A ticket above 0.",
            (Query(f"max(goldpan_review_breached{{{_WORKER}}})", "late"),),
            bad=1,
        ),
        Panel(
            "Oldest open item",
            "The longest time that an open item has waited.",
            (Query(f"max(goldpan_review_oldest_seconds{{{_WORKER}}})", "oldest"),),
            unit="s",
        ),
        Panel(
            "Reviewed so far",
            "Traces with a review, those reviewed late, and those in dispute.",
            (
                Query(f"max(goldpan_review_reviewed{{{_WORKER}}})", "reviewed"),
                Query(f"max(goldpan_review_reviewed_late{{{_WORKER}}})", "late"),
                Query(f"max(goldpan_review_disputed{{{_WORKER}}})", "disputed"),
            ),
        ),
        Panel(
            "Claimed by reviewers",
            "Items that are claimed and not reviewed yet.",
            (Query(f"max(goldpan_review_claimed{{{_WORKER}}})", "claimed"),),
        ),
        Panel(
            "Agreement",
            "Krippendorff's alpha of all reviews: 1 is agreement, 0 is chance.",
            (Query(f"max(goldpan_review_agreement{{{_WORKER}}})", "alpha"),),
        ),
    ),
)

_LAKE = Row(
    "Releases, drift and tables",
    (
        Panel(
            "Age of releases",
            "Age of the lake version that the newest version of each release was drawn from. A "
            "ticket above 92 days.",
            (Query(f"min by (release) (goldpan_release_age_seconds{{{_WORKER}}})", "{{release}}"),),
            unit="s",
            bad=92 * 86400,
        ),
        Panel(
            "Drift",
            "The distance of each feature in the last week from the four weeks before: 0 is equal, "
            "1 is disjoint. `goldpan drift` shows what changed.",
            (Query(f"max by (feature) (goldpan_drift_distance{{{_WORKER}}})", "{{feature}}"),),
            unit="percentunit",
        ),
        Panel(
            "Features that have drifted",
            "Significant and large changes in the newest report. A ticket above 0.",
            (Query(f"sum by (namespace) (goldpan_drift_found{{{_WORKER}}})", "{{namespace}}"),),
            bad=1,
        ),
        Panel(
            "Age of the report of drift",
            "Time since the end of the last day of the newest report; a day or two is normal.",
            (Query(f"min(goldpan_drift_age_seconds{{{_WORKER}}})", "report"),),
            unit="s",
        ),
        Panel(
            "Rows of tables",
            "The growth of the lake, by table.",
            (Query(f"max by (table) (goldpan_table_rows{{{_WORKER}}})", "{{table}}"),),
        ),
        Panel(
            "Data files of tables",
            "Drops every night where `goldpan lake compact` runs; otherwise it only grows.",
            (Query(f"max by (table) (goldpan_table_files{{{_WORKER}}})", "{{table}}"),),
        ),
        Panel(
            "Bytes of tables",
            "Size of the live files of tables, without those that vacuum has not removed yet.",
            (Query(f"max by (table) (goldpan_table_bytes{{{_WORKER}}})", "{{table}}"),),
            unit="bytes",
        ),
    ),
)

LABELS = Dashboard(
    "goldpan-labels",
    "goldpan: labels, review and releases",
    "How good traces were, how fast that is known, what waits for review, and the results.",
    "goldpan_join_partitions",
    ("namespace",),
    (_ASSEMBLED, _LABELLED, _REVIEWED, _LAKE),
)

DASHBOARDS = (OPERATIONS, QUALITY, LABELS)
