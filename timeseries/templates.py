"""The numbers inside texts: apart from the words around them, and together again.

A template is a `%` format, `user:%d.%02d%% idle:%d.%02d%%`, and of each number its decimal places (2, 2). The
numbers are integers, without their point: of `user:7.07% idle:92.93%` they are 707 and 9293.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np

from timeseries.columns import Floats, Rows
from timeseries.scaling import Integers

MOST_DIGITS = 15
"""Of a number that is taken out, so that a float holds it exactly."""

MOST_BYTES, MOST_NUMBERS = 300, 20
"""Of a text whose numbers are taken out."""

_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_NUMBER = re.compile(rb"(0+)(?:\.(0+))?")


class Template(NamedTuple):
    """A `%` format, and the decimal places of each of its numbers."""

    text: str
    places: tuple[int, ...]


class Found(NamedTuple):
    """The places of the texts that have one template, ascending, and the columns of their numbers."""

    rows: Rows
    numbers: Sequence[Integers]


class _Shape(NamedTuple):
    """What texts have in common that differ in their digits only.

    A text's bytes, less the code of 0, times `weights` are its numbers; `leading` are the places of the first
    digits of those that have several before the point.
    """

    template: Template
    weights: Floats
    leading: Sequence[int]


def read(texts: Sequence[str]) -> dict[Template, Found] | None:
    """The templates that the texts have, or None if there are too many of them, or too large ones."""
    encoded, skeletons = _encoded(texts)
    alike: dict[bytes, list[int]] = {}
    for row, skeleton in enumerate(skeletons):
        if (rows := alike.get(skeleton)) is None:
            alike[skeleton] = [row]
        else:
            rows.append(row)
    if len(alike) > len(texts) // 2 + 8 or not all(map(_is_readable, alike)):
        return None
    found: dict[Template, list[tuple[list[int], Floats]]] = {}
    for skeleton, rows in alike.items():
        template, numbers = _read(skeleton, [encoded[row] for row in rows])
        found.setdefault(template, []).append((rows, numbers))
    return {template: _found(parts) for template, parts in found.items()}


def _encoded(texts: Sequence[str]) -> tuple[list[bytes], list[bytes]]:
    """The texts, and their skeletons, in which all digits are zeros; a few calls unless a text has a NUL."""
    together = "\0".join(texts).encode()
    encoded = together.split(b"\0")
    if len(encoded) == len(texts):
        return encoded, together.translate(_ZEROS).split(b"\0")
    encoded = [text.encode() for text in texts]
    return encoded, [text.translate(_ZEROS) for text in encoded]


def render(template: Template, numbers: Sequence[Integers], size: int) -> list[str]:
    """The `size` texts that have these columns of numbers."""
    if not numbers:
        return [template.text % ()] * size
    arguments = zip(*chain.from_iterable(map(_arguments, numbers, template.places)), strict=True)
    return [template.text % row for row in arguments]


def _arguments(numbers: Integers, places: int) -> Iterator[list[int]]:
    """Of a column: what is before the point, and what after it, if there is one."""
    if not places:
        yield numbers.tolist()
    else:
        yield from (part.tolist() for part in np.divmod(numbers, 10**places))


def _is_readable(skeleton: bytes) -> bool:
    if len(skeleton) > MOST_BYTES:
        return False
    numbers = _NUMBER.findall(skeleton)
    digits = (len(whole) + len(part) for whole, part in numbers)
    return len(numbers) <= MOST_NUMBERS and max(digits, default=0) <= MOST_DIGITS


def _read(skeleton: bytes, texts: Sequence[bytes]) -> tuple[Template, Floats]:
    """The template of texts that differ in their digits only, and their numbers, a row each."""
    characters = np.frombuffer(b"".join(texts), dtype=np.uint8).reshape(len(texts), len(skeleton))
    digits = characters - np.uint8(ord("0"))
    shape = _shape(skeleton, False)
    if shape.leading and not np.all(digits[:, shape.leading]):
        shape = _shape(skeleton, True)
    return shape.template, digits.astype(np.float64) @ shape.weights


def _found(parts: Sequence[tuple[list[int], Floats]]) -> Found:
    rows = np.array([row for rows, _ in parts for row in rows])
    order = np.argsort(rows)
    numbers = np.concatenate([numbers for _, numbers in parts])[order].astype(np.int64)
    return Found(rows[order], list(np.ascontiguousarray(numbers.T)))


@lru_cache(maxsize=500)
def _shape(skeleton: bytes, is_padded: bool) -> _Shape:
    """Padded: what has several digits before the point keeps their number, as in 09:05."""
    found = list(_NUMBER.finditer(skeleton))
    weights = np.zeros((len(skeleton), len(found)))
    for column, match in enumerate(found):
        digits = [place for place in range(*match.span()) if skeleton[place] == ord("0")]
        weights[digits, column] = 10.0 ** np.arange(len(digits))[::-1]
    words = [word.decode().replace("%", "%%") for word in re.split(rb"0+(?:\.0+)?", skeleton)]
    formats = [_format(match, is_padded) for match in found]
    text = "".join(chain.from_iterable(zip(words, [*formats, ""], strict=True)))
    places = tuple(len(match[2] or b"") for match in found)
    return _Shape(Template(text, places), weights, [match.start() for match in found if len(match[1]) > 1])


def _format(match: re.Match[bytes], is_padded: bool) -> str:
    whole = f"%0{len(match[1])}d" if is_padded and len(match[1]) > 1 else "%d"
    return f"{whole}.%0{len(match[2])}d" if match[2] else whole
