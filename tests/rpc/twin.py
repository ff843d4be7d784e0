"""What stand-ins of the interface TimeSeries inherit: each has only the methods that its tests call."""

from typing import Any


class TimeSeriesTwin:
    """Every method fails."""

    async def query(self, *_: Any) -> Any:
        raise NotImplementedError

    async def query_many(self, *_: Any) -> Any:
        raise NotImplementedError

    async def latest(self, *_: Any) -> Any:
        raise NotImplementedError

    async def rank(self, *_: Any) -> Any:
        raise NotImplementedError

    async def across(self, *_: Any) -> Any:
        raise NotImplementedError
