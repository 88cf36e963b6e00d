"""The assembly stage: reads the spans that the lake holds, assembles each trace from all of them,
and commits its row to the table of traces, exactly once. The worker runs it in a thread of its own,
and jobs run it over days. It knows no Kafka.
"""
