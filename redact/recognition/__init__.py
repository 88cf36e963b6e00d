"""Detects personal data in a single text, with a catalogue of recognisers."""
