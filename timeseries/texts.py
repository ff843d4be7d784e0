"""Columns of text as bytes: what repeats is kept once, and the numbers inside are columns of numbers.

Statuses are sentences with numbers in them ("user:7.07% idle:92.93%"), origins end with one ("a:1043"). Their
words are kept once, as a template; a number that shows a metric of the same row is not kept at all.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, pairwise

import msgspec
import numpy as np
import zstandard

from timeseries.columns import Floats, Rows
from timeseries.numbers import Integers, Pack, pack, unpack_integers
from timeseries.templates import Found, Template, read, render

SHIFTS = (0, 10, 20, 30, 40)
"""Binary orders of the units that metrics are shown in: bytes, KB, MB, GB, TB."""


class PackedTemplate(msgspec.Struct, frozen=True, array_like=True):
    """A template, and a column for each number in it, or the name of the metric that the number shows.

    Such a number is the metric in the unit of `shifts`, rounded to the template's decimal places.
    """

    text: str
    places: tuple[int, ...]
    numbers: list[Pack | str]
    shifts: list[int]


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
        return {name for template in self.templates for name in template.numbers if isinstance(name, str)}


def pack_texts(texts: Sequence[str], metrics: Mapping[str, Floats]) -> PackedTexts:
    """At least one text; `metrics` are columns that have a number in each of the texts' rows."""
    starts = [0]
    if texts.count(texts[0]) != len(texts):
        starts += [row for row, (before, text) in enumerate(pairwise(texts), 1) if text != before]
    runs = [texts[row] for row in starts]
    rows = np.array(starts)
    lengths = pack(np.diff(rows, append=len(texts)))
    templates = read(runs)
    if templates is None:
        return PackedTexts(len(runs), lengths, 0, [], zstandard.compress(msgspec.msgpack.encode(runs)))
    which = np.empty(len(runs), dtype=np.int64)
    for number, found in enumerate(templates.values()):
        which[found.rows] = number
    packed = [_packed(template, found, rows[found.rows], metrics) for template, found in templates.items()]
    return PackedTexts(len(runs), lengths, pack(which), packed)


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
    packed = PackedTemplate(*template, [], [])
    for column, places in zip(found.numbers, template.places, strict=True):
        name, shift = _shown(column, places, rows, metrics) or (pack(column), 0)
        packed.numbers.append(name)
        packed.shifts.append(shift)
    return packed


def _shown(
    column: Integers, places: int, rows: Rows, metrics: Mapping[str, Floats]
) -> tuple[str, int] | None:
    """The metric that the column shows in these rows, and in which unit; a number that stays needs none."""
    first, row = column[0].item(), rows[0]
    if np.all(column == first):
        return None
    for name, metric in metrics.items():
        begin = metric[row].item()
        for shift in SHIFTS:
            may_be = abs(begin * (10.0**places / 2.0**shift) - first) <= 0.5
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
            _column(numbers, places, shift, starts[runs], metrics)
            for numbers, places, shift in zip(template.numbers, template.places, template.shifts, strict=True)
        ]
        rendered = render(Template(template.text, template.places), columns, len(runs))
        for run, text in zip(runs, rendered, strict=True):
            texts[run] = text
    return texts


def _column(
    numbers: Pack | str, places: int, shift: int, rows: Rows, metrics: Mapping[str, Floats]
) -> Integers:
    if isinstance(numbers, str):
        return _as_shown(metrics[numbers][rows], places, shift).astype(np.int64)
    return unpack_integers(numbers, len(rows))
