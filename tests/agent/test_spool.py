"""The spool: live before backlog, the same SEQ again, bounded by bytes."""

from agent.spool import Spool


def taken(spool: Spool) -> list[int]:
    seqs = []
    while entry := spool.take():
        seqs.append(entry.seq)
    return seqs


def filled(count: int, **more: int) -> Spool:
    spool = Spool(first_seq=10, **more)
    for _ in range(count):
        spool.add("json", b"1234567890")
    return spool


def test_a_frame_is_taken_once_on_a_connection() -> None:
    spool = filled(2)
    assert taken(spool) == [10, 11]
    assert taken(spool) == []


def test_after_a_reconnect_the_unacknowledged_are_sent_again_with_their_seq() -> None:
    spool = filled(3)
    taken(spool)
    spool.forget(11)
    spool.rewind()
    assert taken(spool) == [10, 12]


def test_a_live_frame_goes_before_the_backlog() -> None:
    spool = filled(2)
    spool.rewind()
    spool.add("json", b"live")
    assert taken(spool) == [12, 10, 11]


def test_past_its_bytes_the_oldest_is_dropped_and_counted() -> None:
    spool = filled(5, most_bytes=30)
    assert (taken(spool), spool.dropped, len(spool)) == ([12, 13, 14], 2, 3)
