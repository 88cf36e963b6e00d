"""Makes the list of vendors' keys that redaction looks for (`redact/vendor_keys.json`)."""
