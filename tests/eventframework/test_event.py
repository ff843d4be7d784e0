"""The wire form of events: what is read, what is left out, and what is refused."""

import json
from typing import Any

import pytest

from eventframework.catalogue import KeyRevoked, NodeUpdated
from eventframework.errors import UnknownEvent, UnreadableEvent
from eventframework.event import decode, decode_as, encode

UPDATED = NodeUpdated(account_id="a1", node_id="n1", changes={"name": [None, "web"]})
WIRE = {
    "id": "0" * 32,
    "topic": "node_updated",
    "version": 1,
    "time_ms": 7,
    "data": {"account_id": "a1", "node_id": "n1", "changes": {"name": [None, "web"]}},
    "correlation_id": "c",
}


def wire(**changes: Any) -> bytes:
    return json.dumps(WIRE | changes).encode()


def test_an_event_is_one_json_object() -> None:
    body = encode(UPDATED, event_id="0" * 32, time_ms=7, correlation_id="c")
    assert json.loads(body) == WIRE
    assert decode_as(body, NodeUpdated).data == UPDATED
    assert decode(body) == (decode_as(body, NodeUpdated), UPDATED)


def test_fields_that_a_newer_publisher_has_are_left_out() -> None:
    body = wire(data={**WIRE["data"], "colour": "red"}, priority=3)  # type: ignore[dict-item]
    assert decode_as(body, NodeUpdated).data == UPDATED


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", wire(time_ms="now")])
def test_what_is_no_envelope_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableEvent, match="not an event"):
        decode_as(body, NodeUpdated)


def test_an_event_whose_fields_do_not_fit_is_unreadable_and_says_which() -> None:
    for read in (decode, lambda body: decode_as(body, NodeUpdated)):
        with pytest.raises(UnreadableEvent, match=r"node_updated: .*`account_id`"):
            read(wire(data={"node_id": "n1"}))


def test_an_event_of_another_topic_is_unknown() -> None:
    other = encode(KeyRevoked(account_id="a1", key="k"), event_id="1", time_ms=1)
    with pytest.raises(UnknownEvent, match="'key_revoked', and not 'node_updated'"):
        decode_as(other, NodeUpdated)
    with pytest.raises(UnknownEvent, match="no event has the topic 'sung'"):
        decode(wire(topic="sung"))
