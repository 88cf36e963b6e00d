"""Retention: removes rows, and the values of classes of fields, whose days have expired."""
