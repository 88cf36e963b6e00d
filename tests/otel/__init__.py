"""Tests of the room of OpenTelemetry."""
