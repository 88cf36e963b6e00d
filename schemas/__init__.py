"""What a record is.

The Avro contract, and the record types, Arrow schemas and topics derived from it. Imports no
other room.
"""
