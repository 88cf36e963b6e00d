"""Decodes Kafka records: bytes to typed records, or to a reason why a value is no valid record.

Holds the wire formats, the OpenAI chat mapping and the Schema Registry client; imports schemas
only.
"""
