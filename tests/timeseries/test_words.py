"""The dictionary of words that bundles are packed with."""

import hashlib

from timeseries.bundle import pack_alone
from timeseries.words import SHAPES, Metrics, dictionary

FIRST = "9e5ccd5d0b6f993c6ea3032f14d5a830b6a2d98beaac8c0d63e23e97f7e5ee42"


def test_it_is_what_it_was_when_the_first_bundle_was_packed_with_it() -> None:
    assert hashlib.sha256(dictionary()).hexdigest() == FIRST


def test_what_it_has_takes_no_room() -> None:
    names = b"".join(
        name.encode() for shape in SHAPES if isinstance(shape, Metrics) for name in shape.names.split()
    )
    assert len(pack_alone(names)) < len(names) / 2
    assert len(pack_alone(names[::-1])) > len(names) / 2
