"""The walk over a text finds the telephone numbers that `phonenumbers` finds, region by region."""

import re
from collections.abc import Iterator
from random import Random
from typing import Any

import phonenumbers
import pytest
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberMatcher, PhoneNumberType

from redact.recognition.contacts.phone_walker import FEWEST_ABROAD, PhoneWalker
from tests.short_versions import short

_VALID = phonenumbers.Leniency.VALID
_FORMATS = (
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.NATIONAL,
    PhoneNumberFormat.RFC3966,
)
_KINDS = tuple(PhoneNumberType.values())
_FEW = ("US", "DE", "FR", "BR", "IL", "IT", "AR", "MX", "GB", "AT")
_NO_NUMBERS = (
    "2024-05-11", "1997-01-23", "20240511", "11.05.2024", "05/11/2024", "2024.11.1",
    "2024-05-11 15", "2024-05-11 15:30", "+ 102", "+ (443 - 180", "(282 - 177", "305 - 250",
    "(136 - (94", "+3925",
    "6941833", "4242 4242 4242 4242", "+1", "+ 80 90", "0.0000123456", "12-345-6789", "\uff0b 1234",
)  # fmt: skip


def _example_numbers(region: str) -> Iterator[phonenumbers.PhoneNumber]:
    for kind in _KINDS:
        number = phonenumbers.example_number_for_type(region, kind)
        if number is not None:
            yield number


def _texts(region: str, random: Random) -> Iterator[str]:
    """Yield numbers of a region as people write them, and digits that are nearly such numbers."""
    yield from _NO_NUMBERS
    metadata: Any = PhoneMetadata.metadata_for_region(region)
    code = str(phonenumbers.country_code_for_region(region))
    prefix = metadata.national_prefix or ""
    for number in _example_numbers(region):
        alone = phonenumbers.national_significant_number(number)
        written = [phonenumbers.format_number(number, form) for form in _FORMATS]
        dialled = [
            alone, prefix + alone, code + alone, code + prefix + alone, prefix + prefix + alone,
            f"00{code}{alone}", f"011{code}{alone}", alone[:-1], alone + "7", f"+{alone}",
        ]  # fmt: skip
        for digits in [*written, *dialled]:
            yield digits
            yield _grouped(digits, random)


def _grouped(digits: str, random: Random) -> str:
    return re.sub(
        r"(?<=[0-9])(?=[0-9])",
        lambda _: random.choice(" -./(") if random.random() < 0.3 else "",
        digits,
    )


def _theirs(text: str, region: str) -> set[tuple[int, int]]:
    found = PhoneNumberMatcher(text, region, leniency=_VALID)
    return {(match.start, match.end) for match in found}


@pytest.mark.parametrize("region", short(sorted(phonenumbers.SUPPORTED_REGIONS), _FEW))
def test_a_region_has_the_numbers_of_phonenumbers(region: str) -> None:
    """Whatever is skipped early would have been refused."""
    random = Random(7)  # noqa: S311  # not for secrets
    walker = PhoneWalker((region,), _VALID, lambda: 0.0)
    neighbours = random.choice(_FEW)
    both = PhoneWalker((neighbours, region), _VALID, lambda: 0.0)
    total = 0
    for text in _texts(region, random):
        sentence = f"call {text} or not"
        expected = _theirs(sentence, region)
        assert walker.spans(sentence, 1.0) == expected, text
        assert both.spans(sentence, 1.0) == expected | _theirs(sentence, neighbours), text
        total += len(expected)
    assert total > 2


def test_no_country_has_shorter_numbers() -> None:
    """With their country codes, all valid numbers have that many digits or more."""
    lengths = [
        len(str(code)) + length
        for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
        for region in regions
        for kind in vars(_metadata(code, region)).values()
        if isinstance(kind, phonenumbers.PhoneNumberDesc)
        and kind is not _metadata(code, region).emergency
        for length in kind.possible_length
        if length > 0
    ]
    assert min(lengths) == FEWEST_ABROAD


def _metadata(code: int, region: str) -> Any:
    if region == "001":
        return PhoneMetadata.metadata_for_nongeo_region(code)
    return PhoneMetadata.metadata_for_region(region)
