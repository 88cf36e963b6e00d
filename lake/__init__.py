"""Where records are kept.

Delta tables on a folder or S3, the exactly-once commit and its ledger. Imports schemas only, and
knows nothing of Kafka.
"""
