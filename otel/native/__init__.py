"""Decoders of the bodies that the products' own SDKs send: LangSmith, Langfuse, MLflow, Phoenix,
Traceloop. Each gives the same spans and feedback as OTLP does.
"""
