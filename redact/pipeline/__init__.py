"""Redacts whole records and lines, with an audit trail and rejections."""
