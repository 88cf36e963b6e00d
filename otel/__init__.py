"""OpenTelemetry and the tracing products: records of spans, logs and runs become whole traces.

Pure: no Kafka, no tables, no network. Data flows one way: bytes are decoded to spans and logs, a
dialect says where each field is, and the spans of one trace are assembled to one row.
"""
