"""Room for so many bytes: who finds none waits until others have left, in the order of coming."""

from collections import deque

from twisted.internet.defer import Deferred


class Room:
    """Whoever enters when less than `most_bytes` are inside fits in, however large."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._waiting: deque[tuple[int, Deferred[None]]] = deque()
        self._letting_in = False

    def enter(self, size: int) -> Deferred[None]:
        """Fires when `size` bytes are inside; cancelled before that, they never are."""
        entered: Deferred[None] = Deferred()
        self._waiting.append((size, entered))
        self._let_in()
        return entered

    def squeeze_in(self, size: int) -> None:
        """Be inside, room or not."""
        self._bytes += size

    def leave(self, size: int) -> None:
        """Make room for others."""
        self._bytes -= size
        self._let_in()

    def _let_in(self) -> None:
        """One after the other, also where who enters leaves at once: thousands may wait."""
        if self._letting_in:
            return
        self._letting_in = True
        while self._waiting and self._bytes < self._most_bytes:
            size, entered = self._waiting.popleft()
            if not entered.called:
                self._bytes += size
                entered.callback(None)
        self._letting_in = False
