"""Decodes Kafka records into typed records, or into a reason for rejecting them.

Holds the wire formats, the OpenAI chat mapping and the Schema Registry client; imports schemas
only.
"""
