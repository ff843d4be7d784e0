"""Entities whose next event was refused: each waits, longer after each refusal, and the others go on."""

from eventframework.clock import Clock, backoff_s


class Held:
    """Who waits, and until when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def hold(self, entity: str) -> None:
        """It was refused once more."""
        self._failures[entity] = self._failures.get(entity, 0) + 1
        self._until[entity] = self._clock.seconds() + backoff_s(self._failures[entity])

    def release(self, entity: str) -> None:
        """It was taken."""
        self._failures.pop(entity, None)
        self._until.pop(entity, None)

    def waiting(self) -> list[str]:
        """Whose time has not come."""
        now = self._clock.seconds()
        return [entity for entity, until in self._until.items() if until > now]
