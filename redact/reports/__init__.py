"""Reports on redaction: quality on labelled lines, leftovers in stored records, pages."""
