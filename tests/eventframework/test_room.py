from twisted.trial.unittest import SynchronousTestCase

from eventframework.room import Room


class TestRoom(SynchronousTestCase):
    def test_who_finds_none_waits_until_others_have_left_in_the_order_of_coming(self) -> None:
        room = Room(10)
        entering = [room.enter(size) for size in (6, 6, 1, 1)]
        assert [one.called for one in entering] == [True, True, False, False]
        room.leave(6)
        assert all(one.called for one in entering)

    def test_who_is_cancelled_before_takes_none(self) -> None:
        room = Room(1)
        room.enter(1)
        waiting, last = room.enter(1), room.enter(1)
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        room.leave(1)
        self.successResultOf(last)

    def test_thousands_may_leave_as_soon_as_they_enter(self) -> None:
        room = Room(1)
        entered: list[int] = []

        def leave(_: object, number: int) -> None:
            entered.append(number)
            room.leave(1)

        room.enter(1)
        for number in range(5000):
            room.enter(1).addCallback(leave, number)
        room.leave(1)
        assert entered == list(range(5000))
