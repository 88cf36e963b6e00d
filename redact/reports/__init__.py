"""Reports on redaction: quality on labelled lines, and the page of what is found."""
