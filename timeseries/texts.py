"""Columns of text as bytes: what repeats is kept once, and the numbers inside are columns of numbers.

Statuses are sentences with numbers in them ("user:7.07% idle:92.93%"), origins end with one ("a:1043"). Their
words are kept once, as a template; a number that shows a metric of the same row is not kept at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise

import msgspec
import numpy as np
import zstandard

from timeseries.columns import Floats, Rows
from timeseries.numbers import Pack, Packed, pack, pack_all, unpack_integers
from timeseries.scaling import Integers
from timeseries.templates import Found, Template, read, render

FEWEST, LEAST_ALIKE = 32, 0.75
"""How many numbers are looked at for a metric that they are near to, and how much of them it has to tell."""

MOST = 2.0**62

MANY_RUNS = 0.5
"""If they are more than such a share of the texts, each text is one, for their lengths would cost more."""

SHIFTS = (0, 10, 20, 30, 40)
"""Binary orders of the units that metrics are shown in: bytes, KB, MB, GB, TB."""


class Near(msgspec.Struct, frozen=True, array_like=True):
    """What a number is expected to be, without its point: start and so many times the metric."""

    name: str
    factor: float
    start: float

    def expected(self, metrics: Mapping[str, Floats], rows: Rows) -> Integers:
        """In these rows; raises LookupError, and ValueError if it is too large for integers."""
        found = np.rint(metrics[self.name][rows] * self.factor + self.start)
        if not np.abs(found).max() < MOST:
            raise ValueError("what is expected of a number is out of bounds")
        return found.astype(np.int64)


class PackedTemplate(msgspec.Struct, frozen=True, array_like=True):
    """A template, and a column for each number in it, or the name of the metric that the number shows.

    Such a number is the metric in the unit of `shifts`, rounded to the template's decimal places. A column
    that is `near` to a metric has what the numbers are off.
    """

    text: str
    places: tuple[int, ...]
    numbers: list[Pack | str]
    shifts: list[int]
    near: list[Near | None] = []

    def shown(self) -> Iterator[str]:
        """The names of metrics that its numbers show or are near to."""
        yield from (name for name in self.numbers if isinstance(name, str))
        yield from (near.name for near in self.near if near)


class PackedTexts(msgspec.Struct, frozen=True, array_like=True):
    """Texts packed: of each run of equal texts its length, and which of the templates it has.

    Without templates, `plain` is the texts of all runs, a msgpack list packed by zstd.
    """

    runs: int
    lengths: Pack
    which: Pack
    templates: list[PackedTemplate]
    plain: bytes = b""

    def shown(self) -> set[str]:
        """The names of the metrics that the texts show, which have to be there when they are unpacked."""
        return {name for template in self.templates for name in template.shown()}


def pack_texts(texts: Sequence[str], metrics: Mapping[str, Floats]) -> PackedTexts:
    """At least one text; `metrics` are columns that have a number in each of the texts' rows."""
    starts = [0]
    if texts.count(texts[0]) != len(texts):
        starts += [row for row, (before, text) in enumerate(pairwise(texts), 1) if text != before]
    if len(starts) > len(texts) * MANY_RUNS:
        starts = list(range(len(texts)))
    runs = [texts[row] for row in starts]
    rows = np.array(starts)
    lengths = pack(np.diff(rows, append=len(texts))) if len(runs) < len(texts) else 1
    templates = read(runs)
    if templates is None:
        return PackedTexts(len(runs), lengths, 0, [], zstandard.compress(msgspec.msgpack.encode(runs)))
    which = np.zeros(len(runs), dtype=np.int64)
    for number, found in enumerate(templates.values()):
        which[found.rows] = number
    packed = [_packed(template, found, rows[found.rows], metrics) for template, found in templates.items()]
    return PackedTexts(len(runs), lengths, pack(which) if len(packed) > 1 else 0, packed)


def unpack_texts(packed: PackedTexts, size: int, metrics: Mapping[str, Floats]) -> list[str]:
    """The texts that were packed, `size` of them, with the metrics that they were packed with."""
    lengths = unpack_integers(packed.lengths, packed.runs)
    if packed.templates:
        runs = _rendered(packed, np.cumsum(lengths) - lengths, metrics)
    else:
        runs = msgspec.msgpack.decode(zstandard.decompress(packed.plain), type=list[str])
    if packed.runs == size:
        return runs
    return list(
        chain.from_iterable([text] * length for text, length in zip(runs, lengths.tolist(), strict=True))
    )


def _packed(template: Template, found: Found, rows: Rows, metrics: Mapping[str, Floats]) -> PackedTemplate:
    shown = [
        _shown(column, places, rows, metrics) or ("", 0)
        for column, places in zip(found.numbers, template.places, strict=True)
    ]
    columns = [column for column, (name, _) in zip(found.numbers, shown, strict=True) if not name]
    others = _numbers(columns, rows, metrics)
    packed = PackedTemplate(*template, [], [], [])
    for name, shift in shown:
        numbers, near = (name, None) if name else next(others)
        packed.numbers.append(numbers)
        packed.shifts.append(shift)
        packed.near.append(near)
    return packed


def _numbers(
    columns: Sequence[Integers], rows: Rows, metrics: Mapping[str, Floats]
) -> Iterator[tuple[Pack, Near | None]]:
    """Each column, or what it is off what a metric lets expect, if that is shorter."""
    off = [_off(column, rows, metrics) for column in columns]
    packed = pack_all([*columns, *(numbers for numbers, _ in filter(None, off))])
    followers = iter(packed[len(columns) :])
    for alone, found in zip(packed, off, strict=False):
        yield _shorter(alone, next(followers), found[1]) if found else (alone, None)


def _off(column: Integers, rows: Rows, metrics: Mapping[str, Floats]) -> tuple[Integers, Near] | None:
    if (near := _nearest(column, rows, metrics)) is None:
        return None
    try:
        return column - near.expected(metrics, rows), near
    except ValueError:
        return None


def _shorter(alone: Pack, off: Pack, near: Near) -> tuple[Pack, Near | None]:
    longer = len(off.data) + len(near.name) + 18 if isinstance(off, Packed) else 0
    return (off, near) if isinstance(alone, Packed) and longer < len(alone.data) else (alone, None)


def _nearest(column: Integers, rows: Rows, metrics: Mapping[str, Floats]) -> Near | None:
    """The metric of which the numbers are a multiple, nearly, and something."""
    if len(rows) < FEWEST or not metrics or np.all(column == column[0]):
        return None
    numbers, mean = np.array([metric[rows] for metric in metrics.values()]), column.mean()
    with np.errstate(all="ignore"):
        means = numbers.mean(axis=1)
        apart, off = numbers - means[:, None], column - mean
        factors = apart @ off / np.square(apart).sum(axis=1)
        alike = np.nan_to_num(factors * (apart @ off)) / np.square(off).sum()
    best = int(np.argmax(alike))
    factor, start = factors[best].item(), (mean - factors[best] * means[best]).item()
    return Near(list(metrics)[best], factor, start) if alike[best] > LEAST_ALIKE else None


def _shown(
    column: Integers, places: int, rows: Rows, metrics: Mapping[str, Floats]
) -> tuple[str, int] | None:
    """The metric that the column shows in these rows, and in which unit; a number that stays needs none."""
    if np.all(column == column[0]):
        return None
    # Most metrics are ruled out by the greatest number; small ones look alike in many units.
    most = int(np.argmax(column))
    greatest, row = column[most].item(), rows[most]
    for name, metric in metrics.items():
        shown = metric[row].item() * 10.0**places
        for shift in SHIFTS:
            may_be = abs(shown / 2.0**shift - greatest) <= 0.5
            if may_be and np.array_equal(_as_shown(metric[rows], places, shift), column):
                return name, shift
    return None


def _as_shown(metric: Floats, places: int, shift: int) -> Floats:
    """What a text shows of a metric in this unit, without the point."""
    with np.errstate(over="ignore"):
        return np.rint(metric * (10.0**places / 2.0**shift))


def _rendered(packed: PackedTexts, starts: Rows, metrics: Mapping[str, Floats]) -> list[str]:
    """The texts of all runs, which begin in the rows `starts`."""
    which = unpack_integers(packed.which, packed.runs)
    texts = [""] * packed.runs
    for number, template in enumerate(packed.templates):
        runs = np.flatnonzero(which == number)
        columns = [
            _column(template, number_in, starts[runs], metrics) for number_in in range(len(template.places))
        ]
        rendered = render(Template(template.text, template.places), columns, len(runs))
        for run, text in zip(runs, rendered, strict=True):
            texts[run] = text
    return texts


def _column(template: PackedTemplate, place: int, rows: Rows, metrics: Mapping[str, Floats]) -> Integers:
    numbers, near = template.numbers[place], template.near[place] if template.near else None
    if isinstance(numbers, str):
        shown = _as_shown(metrics[numbers][rows], template.places[place], template.shifts[place])
        return shown.astype(np.int64)
    off = unpack_integers(numbers, len(rows))
    return off if near is None else off + near.expected(metrics, rows)
