"""What the labels of spaCy's models mean here: each model names persons and places its own way."""

from types import MappingProxyType

LABEL_TYPES = MappingProxyType(
    {
        "PERSON": "PERSON",
        "PER": "PERSON",
        "GPE": "LOCATION",
        "LOC": "LOCATION",
        "LOCATION": "LOCATION",
        "FAC": "LOCATION",
        "ORG": "ORGANIZATION",
        "ORGANIZATION": "ORGANIZATION",
        "NORP": "NRP",
        "NRP": "NRP",
        "DATE": "DATE_TIME",
        "TIME": "DATE_TIME",
        "DATE_TIME": "DATE_TIME",
        "STREET_ADDRESS": "STREET_ADDRESS",
        "ZIP_CODE": "ZIP_CODE",
        "AGE": "AGE",
        "TITLE": "TITLE",
    }
)
"""From a model's label to the type of a finding. A policy may name others."""
