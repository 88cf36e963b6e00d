"""Golden-set releases: described by a spec, drawn from the lake, published once.

``format`` holds their files, ``sampling`` selects their rows, ``pages`` describes them, ``publish``
builds and verifies them, ``erasure`` removes persons from them, and ``export`` converts them for
other tools.
"""
