"""Reports on redaction: its quality on labelled lines, leftovers in the lake, generated pages."""
