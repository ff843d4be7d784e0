"""Telling the relay that something was committed, so that it need not look all the time.

It is a hint and may get lost: the relay looks every second anyway.
"""

from collections.abc import Callable

_wakers: dict[Callable[[], None], None] = {}


def on_commit(waker: Callable[[], None]) -> Callable[[], None]:
    """Call `waker` after each commit that left an event, in the thread that committed; returns the end of it.

    It must neither block nor fail. The end may be called again.
    """
    _wakers[waker] = None
    return lambda: _wakers.pop(waker, None)


def wake() -> None:
    """Something was committed."""
    for waker in tuple(_wakers):
        waker()
