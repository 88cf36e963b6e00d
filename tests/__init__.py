"""Tests, in folders named as the rooms they hold to their word."""
