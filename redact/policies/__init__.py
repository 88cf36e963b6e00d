"""The policy of redaction: which types of data are replaced, and with what."""
