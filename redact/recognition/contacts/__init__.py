"""Recognisers for e-mail addresses, hosts, telephone numbers and postal addresses."""
