"""What a process opens for its services, once, and what it leaves when that fails."""

from typing import Any, cast

import pytest
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

import services.engines
from picket.settings import Settings
from services.engines import Engines
from timeseries.errors import StoreUnavailable


class Frail:
    """A store that cannot be opened, or can."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails
        self.steps: list[str] = []

    async def open(self) -> None:
        self.steps.append("open")
        if self.fails:
            raise StoreUnavailable("away")

    async def close(self) -> None:
        self.steps.append("close")


class EnginesTest(TestCase):
    def engines(self) -> Engines:
        return Engines(Settings.model_validate({"store": {"kind": "memory"}}), reactor)

    async def test_an_engine_is_opened_once_for_all_that_ask_for_it(self) -> None:
        engines = self.engines()
        await engines.open(["store", "clock"])
        store = engines.store
        await engines.open(["store", "threads"])
        assert engines.store is store
        assert await engines.threads.run(len, "four") == 4
        await engines.close()

    async def test_what_was_not_asked_for_is_not_there(self) -> None:
        with pytest.raises(RuntimeError, match="not asked for"):
            _ = self.engines().store

    async def test_a_store_that_could_not_be_opened_is_closed_and_can_be_opened_later(self) -> None:
        made: list[Frail] = []

        def make_frail_store(*_: object) -> Frail:
            made.append(Frail(fails=not made))
            return made[-1]

        self.patch(services.engines, "make_store", make_frail_store)
        engines = self.engines()
        with pytest.raises(StoreUnavailable):
            await engines.open(["store"])
        await engines.open(["store"])
        assert cast(Any, engines.store) is made[1]
        assert [store.steps for store in made] == [["open", "close"], ["open"]]
        await engines.close()
        assert made[1].steps == ["open", "close"]
