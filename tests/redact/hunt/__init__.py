"""The leak hunt: personal values in every disguise, container and field, and harmless twins.

A seed draws combinations (:mod:`.combine`); each is redacted (:mod:`.run`) and judged
(:mod:`.judge`). ``python -m tests.redact.hunt --help`` runs it by hand.
"""
