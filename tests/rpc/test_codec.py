"""Messages that are cut short or damaged, and the types of the IDL."""

import ast
import random
from pathlib import Path

import pytest

from rpc import codec, errors, idl


def a_call() -> bytes:
    query = idl.Query(check="cpu", key="", metrics=["a", "b"], start_ms=1, end_ms=2, max_points=3)
    arguments = ["a1", idl.Context(correlation_id="c", timeout_ms=9), "n1", query]
    return codec.encode_call("TimeSeries", "query", 7, arguments)


def test_a_call_comes_out_as_it_went_in() -> None:
    call = codec.decode_call("TimeSeries", a_call())
    assert (call.method, call.sequence) == ("query", 7)
    assert call.arguments[3].metrics == ["a", "b"]
    assert call.arguments[1].timeout_ms == 9


def test_a_message_cut_short_anywhere_is_bad() -> None:
    message = a_call()
    for length in range(len(message)):
        with pytest.raises(codec.BadMessage):
            codec.decode_call("TimeSeries", message[:length])


def test_a_damaged_message_is_read_or_is_bad() -> None:
    chance = random.Random(3)
    for _ in range(2000):
        damaged = bytearray(a_call())
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            codec.decode_call("TimeSeries", bytes(damaged))
        except codec.BadMessage:
            continue


def test_a_method_of_another_interface_is_bad() -> None:
    with pytest.raises(codec.BadMessage, match="no method 'query'"):
        codec.decode_call("Live", a_call())


def test_both_errors_travel() -> None:
    refused = codec.Reply(1, None, errors.Refused("bad_key", "no such key"))
    found = codec.decode_reply("TimeSeries", codec.encode_reply("TimeSeries", "query", refused))
    assert isinstance(found.error, errors.Refused)
    assert (found.error.code, found.error.message) == ("bad_key", "no such key")
    away = codec.Reply(2, None, errors.Unavailable("later"))
    found = codec.decode_reply("TimeSeries", codec.encode_reply("TimeSeries", "query", away))
    assert isinstance(found.error, errors.Unavailable)
    assert found.sequence == 2


def test_the_types_in_the_stub_are_those_of_the_idl() -> None:
    stub = ast.parse(Path(str(idl.__file__)).with_suffix(".pyi").read_text())
    classes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    for name, node in classes.items():
        fields = [each.target.id for each in node.body if isinstance(each, ast.AnnAssign)]  # type: ignore[union-attr]
        spec = getattr(idl, name).thrift_spec
        assert fields == [spec[number][1] for number in sorted(spec)], name
