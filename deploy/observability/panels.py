"""The dashboards: each panel answers one question of the engineer on call."""

from deploy.observability.grafana import Dashboard, Panel, Query, Row

_ALL = 'namespace=~"$namespace", topic=~"$topic"'
_WORKER = 'namespace=~"$namespace"'


def _rate(metric: str, by: str, more: str = "", chosen: str = _ALL) -> str:
    return f"sum by ({by}) (rate({metric}{{{chosen}{more}}}[$__rate_interval]))"


def _quantile(q: float, metric: str) -> str:
    return f"histogram_quantile({q}, {_rate(f'{metric}_bucket', 'topic, le')})"


_WELL = Row(
    "Is it well?",
    (
        Panel(
            "Oldest record that is not in the lake",
            "Below about a minute is normal: a record waits up to GOLDPAN_STREAM__FLUSH_SECONDS "
            "on purpose. Alert above 300 s.",
            (Query(f"max(goldpan:lag_seconds:max{{{_ALL}}})"),),
            unit="s",
            kind="stat",
            width=6,
            height=4,
            bad=300,
        ),
        Panel(
            "Late records, last hour",
            "Share of records that came later than 120 s after their event. The objective is 1 %.",
            (Query(f"max(goldpan:freshness_late:ratio_rate1h{{{_ALL}}})"),),
            unit="percentunit",
            kind="stat",
            width=6,
            height=4,
            bad=0.01,
        ),
        Panel(
            "Workers ready",
            "Workers whose positions are taken and whose lake answers.",
            (Query(f"sum(goldpan_ready{{{_WORKER}}})"),),
            kind="stat",
            width=4,
            height=4,
        ),
        Panel(
            "Partitions owned",
            "Must be all partitions of the topics; at a rebalance it dips for seconds.",
            (Query(f"sum by (topic) (goldpan_partitions_owned{{{_ALL}}})", "{{topic}}"),),
            kind="stat",
            width=4,
            height=4,
        ),
        Panel(
            "Versions and policies",
            "More than one line for longer than a rollout takes is an alert.",
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
            "Record by record. Producers that send late show here and not in the lag.",
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
            "Age of the oldest record that is not in the lake, the ten oldest partitions.",
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
            "Burning of the objective",
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
            "Positions move",
            "Offsets a second by which each topic's positions go forward.",
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
            "Taken from Kafka; what is read and not committed is in the buffer.",
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
            "Small files are what readers pay for. Late rows of many days make them.",
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
            "Resident memory against the ceiling, buffers against their share of it.",
            (Query(f"max by (of) (goldpan_memory_bytes{{{_WORKER}}})", "{{of}}"),),
            unit="bytes",
        ),
        Panel(
            "Text seen before",
            "Share of look-ups that the redaction cache answered: the processor time it saves.",
            (
                Query(
                    _rate(
                        "goldpan_redaction_cache_lookups_total",
                        "namespace",
                        ', result="hit"',
                        _WORKER,
                    )
                    + " / "
                    + _rate("goldpan_redaction_cache_lookups_total", "namespace", chosen=_WORKER)
                ),
            ),
            unit="percentunit",
        ),
    ),
)

_TROUBLE = Row(
    "Commits and trouble",
    (
        Panel(
            "Time of a flush",
            "Encoding, uploading and committing; slow ones come from S3 or from few processors.",
            (
                Query(_quantile(0.5, "goldpan_commit_seconds"), "{{topic}} half"),
                Query(_quantile(0.95, "goldpan_commit_seconds"), "{{topic}} 95 %"),
            ),
            unit="s",
            bad=30,
        ),
        Panel(
            "Flushes",
            "Fenced ones met a position that another worker had moved: normal at a rebalance only.",
            (Query(_rate("goldpan_flushes_total", "topic, outcome"), "{{topic}} {{outcome}}"),),
            unit="cps",
        ),
        Panel(
            "Steps tried again",
            "By step: what outside does not answer.",
            (Query(_rate("goldpan_retries_total", "step", chosen=_WORKER), "{{step}}"),),
            unit="cps",
        ),
        Panel(
            "Commits without an answer",
            "Settled by reading the position; how many of them had landed.",
            (
                Query(_rate("goldpan_commits_unknown_total", "table", chosen=_WORKER), "{{table}}"),
                Query(
                    _rate("goldpan_commits_settled_total", "table", chosen=_WORKER),
                    "{{table}} landed",
                ),
            ),
            unit="cps",
        ),
        Panel(
            "Rebalances",
            "Assignments, revocations after a flush, losses without one.",
            (Query(_rate("goldpan_rebalances_total", "kind", chosen=_WORKER), "{{kind}}"),),
            unit="cps",
        ),
        Panel(
            "Paused",
            "1 while a worker does not read: memory is full, or a step outside does not answer.",
            (Query(f"max by (why) (goldpan_paused{{{_WORKER}}})", "{{why}}"),),
        ),
    ),
)

OPERATIONS = Dashboard(
    "goldpan-operations",
    "goldpan: operations",
    "Lag, freshness, throughput, errors. Begin here.",
    "goldpan_records_read_total",
    ("namespace", "topic"),
    (_WELL, _FRESH, _WORK, _TROUBLE),
)

_REDACTION = "redaction_failed|residual_pii|personal_id"

QUALITY = Dashboard(
    "goldpan-quality",
    "goldpan: data quality",
    "What is set aside and why, what is lost, what redaction could not do.",
    "goldpan_records_read_total",
    ("namespace", "topic"),
    (
        Row(
            "Set aside",
            (
                Panel(
                    "Share in quarantine",
                    "Of the records read. Tickets above 1 %, pages above 20 %.",
                    (Query(f"goldpan:quarantined:ratio_rate15m{{{_ALL}}}", "{{topic}}"),),
                    unit="percentunit",
                    bad=0.01,
                ),
                Panel(
                    "Broken contract, by reason",
                    "Producers that send what no schema allows. `goldpan quarantine list` has the "
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
                    "Set aside because personal data could not be taken out, or was still found.",
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
                    "What redaction replaced in records that are in the lake, by type; only where "
                    "GOLDPAN_REDACT__AUDIT is on.",
                    (Query(_rate("goldpan_findings_total", "type"), "{{type}}"),),
                    unit="cps",
                    stacked=True,
                    width=12,
                ),
                Panel(
                    "Findings per record",
                    "Findings by record stored. A step: producers send something new, or a policy "
                    "has changed.",
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
            "Where records go",
            (
                Panel(
                    "Fate of the records",
                    "What is read is stored, quarantined, or dropped by a named rule; offsets that "
                    "hold no record are skipped.",
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
                    "the lag: producers send late.",
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
            "By verdict and by where the trace goes from there: done, to a reviewer, to the audit.",
            (
                Query(
                    _rate("goldpan_labels_total", "label, route", chosen=_WORKER),
                    "{{label}} {{route}}",
                ),
            ),
            unit="cps",
            stacked=True,
        ),
        Panel(
            "Time to a label",
            "95 of 100 labels are committed sooner: after the feedback that called for them, and "
            "after the trace began (which waits for the user).",
            (
                Query(
                    "histogram_quantile(0.95, "
                    + _rate("goldpan_label_turnaround_seconds_bucket", "since, le", chosen=_WORKER)
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
            "What the join holds",
            "Traces in its window, feedback, and traces that feedback waits for.",
            (
                Query(f"sum(goldpan_join_traces{{{_WORKER}}})", "traces"),
                Query(f"sum(goldpan_join_feedback{{{_WORKER}}})", "feedback"),
                Query(f"sum(goldpan_join_waiting{{{_WORKER}}})", "waited for"),
            ),
        ),
        Panel(
            "Memory of the join",
            "By worker; it counts in the memory of the worker.",
            (Query(f"goldpan_join_bytes{{{_WORKER}}}", "{{instance}}"),),
            unit="bytes",
        ),
        Panel(
            "Let go by the join",
            "Late and unmatched records: `goldpan labels reconcile` finds them in the lake.",
            (Query(_rate("goldpan_join_passed_over_total", "why", chosen=_WORKER), "{{why}}"),),
            unit="cps",
        ),
        Panel(
            "Label events sent to the topic",
            "Only where GOLDPAN_LABELS__TOPIC is set; those sent again are counted again.",
            (Query(_rate("goldpan_label_events_produced_total", "namespace", chosen=_WORKER)),),
            unit="cps",
        ),
        Panel(
            "Pairs of partitions joined",
            "Partitions of the two topics that are joined by the workers.",
            (Query(f"sum(goldpan_join_partitions{{{_WORKER}}})", "joined"),),
        ),
        Panel(
            "Left to the batch job",
            "1 where a worker cannot decide labels, by why; the nightly job does.",
            (Query(f"max by (why) (goldpan_labels_left_to_batch{{{_WORKER}}})", "{{why}}"),),
            bad=1,
        ),
    ),
)

_REVIEWED = Row(
    "Review queue",
    (
        Panel(
            "Waiting for a reviewer",
            "Uncertain labels, and the random arm of the audit.",
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
            "How long the item that waits longest has waited.",
            (Query(f"max(goldpan_review_oldest_seconds{{{_WORKER}}})", "oldest"),),
            unit="s",
        ),
        Panel(
            "Reviewed so far",
            "Traces with a review, those of them that came late, and those in dispute.",
            (
                Query(f"max(goldpan_review_reviewed{{{_WORKER}}})", "reviewed"),
                Query(f"max(goldpan_review_reviewed_late{{{_WORKER}}})", "late"),
                Query(f"max(goldpan_review_disputed{{{_WORKER}}})", "disputed"),
            ),
        ),
        Panel(
            "In the hands of reviewers",
            "Items that somebody has claimed and not handed in yet.",
            (Query(f"max(goldpan_review_claimed{{{_WORKER}}})", "claimed"),),
        ),
        Panel(
            "Agreement",
            "Krippendorff's alpha of all reviews: 1 is agreement, 0 is chance.",
            (Query(f"max(goldpan_review_agreement{{{_WORKER}}})", "alpha"),),
        ),
    ),
)

_KEPT = Row(
    "Releases, drift and tables",
    (
        Panel(
            "Age of releases",
            "Of the lake that the newest version of each release was drawn from. A ticket above "
            "92 days.",
            (Query(f"min by (release) (goldpan_release_age_seconds{{{_WORKER}}})", "{{release}}"),),
            unit="s",
            bad=92 * 86400,
        ),
        Panel(
            "Drift",
            "How far each feature of the last week is from the four weeks before: 0 is the same, 1 "
            "is nothing in common. `goldpan drift` tells what changed.",
            (Query(f"max by (feature) (goldpan_drift_distance{{{_WORKER}}})", "{{feature}}"),),
            unit="percentunit",
        ),
        Panel(
            "Features that have drifted",
            "Those of which the newest report is certain, and which matter. A ticket above 0.",
            (Query(f"sum by (namespace) (goldpan_drift_found{{{_WORKER}}})", "{{namespace}}"),),
            bad=1,
        ),
        Panel(
            "Age of the report of drift",
            "Time since the end of the last day that it looks at; a day or two is normal.",
            (Query(f"min(goldpan_drift_age_seconds{{{_WORKER}}})", "report"),),
            unit="s",
        ),
        Panel(
            "Rows of tables",
            "How the lake grows, table by table.",
            (Query(f"max by (table) (goldpan_table_rows{{{_WORKER}}})", "{{table}}"),),
        ),
        Panel(
            "Data files of tables",
            "Falls every night where `goldpan lake compact` runs; if it only grows, it does not.",
            (Query(f"max by (table) (goldpan_table_files{{{_WORKER}}})", "{{table}}"),),
        ),
        Panel(
            "Bytes of tables",
            "Of the files that tables consist of; those that vacuum has not removed come on top.",
            (Query(f"max by (table) (goldpan_table_bytes{{{_WORKER}}})", "{{table}}"),),
            unit="bytes",
        ),
    ),
)

LABELS = Dashboard(
    "goldpan-labels",
    "goldpan: labels, review and releases",
    "What traces were worth, how fast that is known, what waits for people, and what came of it.",
    "goldpan_join_partitions",
    ("namespace",),
    (_LABELLED, _REVIEWED, _KEPT),
)

DASHBOARDS = (OPERATIONS, QUALITY, LABELS)
