"""The demo: real conversations, an embedded broker, the real worker, and the result."""
