"""Redaction: finds personal data, replaces it by policy, and scans the output for what is left.

Pure: no Kafka, and no files except its own policies, word lists and model. Imports schemas only.
"""
