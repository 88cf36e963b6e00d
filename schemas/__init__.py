"""The data contract: Avro schemas, and everything derived from them.

Record types, Arrow schemas, JSON Schema and topics are all derived from it. Imports none of the
other rooms.
"""
