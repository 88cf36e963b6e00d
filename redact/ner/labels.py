"""Maps the labels of spaCy models to types; each model has its own labels."""

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
"""Type of a finding by the model's label. A policy may override it."""
