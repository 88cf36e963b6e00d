"""Anybody can verify the signature of an erasure, and only with its own key."""

import pytest

from redact.crypto.signing import Signer, verify_signature


def test_a_signature_holds_for_its_message_and_its_key_only() -> None:
    """The same text gets the same signature; another text or key does not fit it."""
    one, other = Signer(b"1" * 32), Signer(b"2" * 32)
    signature = one.sign(b"done")
    assert signature == Signer(b"1" * 32).sign(b"done")
    assert verify_signature(one.public, b"done", signature)
    assert not verify_signature(one.public, b"Done", signature)
    assert not verify_signature(other.public, b"done", signature)


@pytest.mark.parametrize("broken", ["", "zz", "00" * 31, "00" * 64])
def test_what_is_no_key_or_signature_does_not_hold(broken: str) -> None:
    """A file that somebody else wrote is detected, and raises nothing."""
    one = Signer(b"1" * 32)
    assert not verify_signature(broken, b"done", one.sign(b"done"))
    assert not verify_signature(one.public, b"done", broken)
