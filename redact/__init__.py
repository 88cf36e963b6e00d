"""Redaction: finds personal data, replaces it by policy, and scans the output once more.

Pure: no Kafka, and no files except its own policies, word lists and model. Imports schemas only.
"""
