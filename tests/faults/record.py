"""What the processes of a load have written down so far: each look reads on from where the last one ended."""

from pathlib import Path

from tests.faults.load import KIND_OF, Confirmed, Delivered, Sent


class Record:
    """The files in `folder` as they were at the last `look`.

    `calls`: every call of a handler, in order. `first`: those that a handler that dedupes does not pass over.
    `slowest_ms`: how long the slowest publish took to its confirm.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, int] = {}
        self.published: set[Sent] = set()
        self.confirmed: set[Sent] = set()
        self.slowest_ms = 0
        self.calls: list[Delivered] = []
        self.first: list[Delivered] = []
        self.handled: set[tuple[str, int]] = set()

    def look(self) -> "Record":
        """Read what has been written since."""
        self.published.update(Sent(kind, int(number)) for kind, number in self._lines("published"))
        for kind, number, waited_ms in self._lines("confirmed"):
            self._confirm(Confirmed(kind, int(number), int(waited_ms)))
        for tag, number, partition, lag_ms, process in self._lines("delivered"):
            self._deliver(Delivered(tag, int(number), int(partition), int(lag_ms), process))
        return self

    @property
    def due(self) -> set[tuple[str, int]]:
        """What is confirmed, for each tag that takes it."""
        return {(tag, number) for tag, kind in KIND_OF.items() for of, number in self.confirmed if of == kind}

    def _confirm(self, line: Confirmed) -> None:
        self.confirmed.add(Sent(line.kind, line.number))
        self.slowest_ms = max(self.slowest_ms, line.waited_ms)

    def _deliver(self, call: Delivered) -> None:
        self.calls.append(call)
        if (call.tag, call.number) not in self.handled:
            self.handled.add((call.tag, call.number))
            self.first.append(call)

    def _lines(self, name: str) -> list[list[str]]:
        path = self._folder / name
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._read.get(name, 0))
            new = file.read()
        new = new[: new.rfind(b"\n") + 1]  # The last line may be just being written.
        self._read[name] = self._read.get(name, 0) + len(new)
        return [line.split() for line in new.decode().splitlines()]
