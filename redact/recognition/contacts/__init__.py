"""Recognisers of e-mail addresses, hosts, telephone numbers and postal addresses."""
