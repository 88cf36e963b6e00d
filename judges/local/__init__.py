"""A learnt judge that needs no server: small, weak, and measured."""
