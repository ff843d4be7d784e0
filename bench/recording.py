"""`python -m bench record FILE`: what our own agent measures on this machine, kept for benchmarks."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import structs

from agent.checks import CHECKS
from agent.schedule import Schedule
from bench.errors import BenchError
from bench.points import INTERVAL_MS
from timeseries.errors import InvalidFrame
from timeseries.frames import Frame, decode_batch, decode_payload, encode_batch
from timeseries.store import HOUR_MS

END_MS = 1_793_491_200_000
"""The end of a month, whose last hours laid and made-up frames are: at its end all rollup rows are packed."""


def record(path: Path, minutes: float) -> int:
    """Write the frames of so many minutes, one every ten seconds, of every check; how many they are."""
    frames: list[Frame] = []

    def keep(_encoding: str, payload: bytes) -> None:
        time_ms = decode_payload(payload).time
        frames.append(Frame("bench", "this", f"a:{len(frames) + 1}", time_ms, time_ms, payload))

    with suppress(TimeoutError):
        asyncio.run(asyncio.wait_for(_measure(keep), minutes * 60))
    path.write_bytes(encode_batch(frames))
    return len(frames)


async def _measure(keep: Callable[[str, bytes], None]) -> None:
    schedule = Schedule(lambda: round(time.time() * 1000), keep)
    schedule.assign([{"check": name, "interval_s": INTERVAL_MS // 1000} for name in CHECKS])
    await schedule.run()


def laid(paths: Sequence[Path]) -> list[Frame]:
    """The frames of recordings as one without gaps, from the start of an hour on; raises BenchError.

    None may be given twice: what comes again costs a peer next to nothing, where it packs many hours as one.
    """
    recordings = [read(path) for path in paths]
    lengths_ms = [each[-1].time_ms - each[0].time_ms + INTERVAL_MS for each in recordings]
    begin_ms = begin_of(sum(lengths_ms))
    frames: list[Frame] = []
    for recorded, length_ms in zip(recordings, lengths_ms, strict=True):
        moved = begin_ms - recorded[0].time_ms
        for seq, frame in enumerate(recorded, len(frames) + 1):
            times = {"time_ms": frame.time_ms + moved, "received_ms": frame.received_ms + moved}
            frames.append(structs.replace(frame, origin=f"a:{seq}", **times))
        begin_ms += length_ms
    return frames


def begin_of(length_ms: int) -> int:
    """The start of the hour from which on so much ends in the last hour before END_MS."""
    return END_MS + -length_ms // HOUR_MS * HOUR_MS


def read(path: Path) -> list[Frame]:
    """The frames of a recording; raises BenchError."""
    try:
        return decode_batch(path.read_bytes())
    except (OSError, InvalidFrame) as error:
        raise BenchError(
            f"{path} is no recording: {error}; `python -m bench record {path}` makes one"
        ) from error
