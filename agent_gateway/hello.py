"""The JSON that an agent introduces itself with, and what the gateway answers."""

from typing import Annotated, Any

import msgspec

from rpc import idl

Text = Annotated[str, msgspec.Meta(max_length=300)]


class HelloBody(msgspec.Struct, frozen=True):
    """What `hello 2` carries; `node` and `node_secret` are those of an earlier `accepted`."""

    key: Text
    secret: Text
    version: Text
    host: Text
    platform: Text
    machine: Text
    node: Text = ""
    node_secret: Text = ""
    encodings: list[Text] = []


_hello = msgspec.json.Decoder(HelloBody)


def read(payload: bytes, address: str) -> idl.Hello:
    """What the directory is asked. Raises msgspec.DecodeError or msgspec.ValidationError."""
    body = _hello.decode(payload)
    said = {name: getattr(body, name) for name in HelloBody.__struct_fields__ if name != "encodings"}
    return idl.Hello(protocol=2, address=address, **said)


def accepted(welcome: idl.Welcome, time_ms: int, ping_s: int, frame_bytes: int, in_flight: int) -> bytes:
    """The JSON of `accepted`."""
    body: dict[str, Any] = {"node": welcome.node_id, "time_ms": time_ms, "ping_s": ping_s}
    if welcome.node_secret:
        body["node_secret"] = welcome.node_secret
    return msgspec.json.encode(body | {"limits": {"frame_bytes": frame_bytes, "in_flight": in_flight}})


def checks(assignments: list[idl.Assignment]) -> bytes:
    """The JSON of `checks`."""
    return msgspec.json.encode(
        [
            {
                "check": one.check,
                "key": one.key or "",
                "params": msgspec.Raw((one.params or "{}").encode()),
                "interval_s": one.interval_s,
            }
            for one in assignments
        ]
    )
