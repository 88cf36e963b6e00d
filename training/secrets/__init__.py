"""Makes the list of vendors' keys that redaction searches for (`redact/vendor_keys.json`)."""
