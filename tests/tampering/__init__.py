"""Every way that was thought of to tamper with a lake, and what sees it."""
