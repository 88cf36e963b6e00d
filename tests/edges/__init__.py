"""The edges: bad records, wrong settings, and what the worker tells about itself."""
