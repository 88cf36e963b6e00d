"""Storage: the Delta tables of a lake, and the exactly-once commit.

The tables are in a folder or on S3, and each records in its ledger what it contains. Imports
schemas only, and does not depend on Kafka.
"""
