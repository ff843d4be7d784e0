"""The wire contract: every command there and back, split anywhere; each breach gets its code."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire import COMMANDS, Code, Decoder, Limits, Message, Side, WireError, encode

WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


def decode(sender: Side, *chunks: bytes, limits: Limits | None = None) -> list[Message]:
    decoder = Decoder(sender, limits or Limits())
    found: list[Message] = []
    for chunk in chunks:
        decoder.feed(chunk)
        found += decoder.messages()
    return found


@st.composite
def messages(draw: st.DrawFn) -> tuple[Side, Message]:
    side = draw(st.sampled_from(list(Side)))
    name = draw(st.sampled_from(sorted(COMMANDS[side])))
    command = COMMANDS[side][name]
    count = draw(st.integers(1, 5)) if command.words < 0 else command.words
    words = tuple(draw(st.lists(WORD, min_size=count, max_size=count)))
    return side, Message(name, words, draw(st.binary(max_size=200)) if command.payload else b"")


@given(messages(), st.integers(0, 300))
def test_each_command_survives_the_way_cut_anywhere(sample: tuple[Side, Message], cut: int) -> None:
    side, message = sample
    payload = message.payload if COMMANDS[side][message.command].payload else None
    data = encode(message.command, *message.words, payload=payload)
    assert decode(side, data[:cut], data[cut:], data) == [message, message]


def test_carriage_returns_are_accepted() -> None:
    assert decode(Side.AGENT, b"ping 1.5\r\n") == [Message("ping", ("1.5",))]


def test_the_last_word_of_an_error_is_the_rest_of_the_line() -> None:
    assert decode(Side.GATEWAY, b"error bad_key no such key\n") == [
        Message("error", ("bad_key", "no such key"))
    ]


def test_a_text_cannot_forge_a_command() -> None:
    assert decode(Side.GATEWAY, encode("refused", 1, "x", "a\nrestart\r\nb")) == [
        Message("refused", ("1", "x", "a restart b"))
    ]


def test_the_original_agents_hello_is_understood() -> None:
    assert decode(Side.AGENT, b"hello 1 0.9.21 KEY SECRET\n") == [
        Message("hello 1", ("0.9.21", "KEY", "SECRET"))
    ]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"x" * 101, Code.LINE_TOO_LONG),
        (b"\x16\x03\x01 garbage\n", Code.UNKNOWN_COMMAND),
        (b"\n", Code.UNKNOWN_COMMAND),
        (b"hello 3 10\n", Code.UNSUPPORTED_PROTOCOL),
        (b"accepted 2\n", Code.UNKNOWN_COMMAND),
        (b"frame 1 json 1001\n", Code.PAYLOAD_TOO_LARGE),
        (b"frame 1 json -1\n", Code.BAD_LENGTH),
        (b"frame 1 json 99999999999999999999\n", Code.BAD_LENGTH),
        ("frame 1 json ²\n".encode(), Code.BAD_LENGTH),
        (b"frame\n", Code.BAD_LENGTH),
        (b"frame 1 2\n", Code.BAD_WORDS),
        (b"ping\n", Code.BAD_WORDS),
        (b"frame 1 json 2\n{}xx", Code.BAD_END),
    ],
)
def test_each_breach_has_its_code(data: bytes, code: str) -> None:
    with pytest.raises(WireError) as error:
        decode(Side.AGENT, data, limits=Limits(line_bytes=100, payload_bytes=1000))
    assert error.value.code == code


def test_a_breach_shows_only_after_the_messages_before_it() -> None:
    decoder = Decoder(Side.AGENT, Limits())
    decoder.feed(b"ping 1\nnonsense\n")
    found = decoder.messages()
    assert next(found).command == "ping"
    with pytest.raises(WireError):
        next(found)


def test_a_message_is_partial_until_its_last_byte() -> None:
    decoder = Decoder(Side.AGENT, Limits())
    data = encode("frame", 1, "json", payload=b"{}")
    for byte in data[:-1]:
        decoder.feed(bytes([byte]))
        assert list(decoder.messages()) == []
        assert decoder.partial
    decoder.feed(data[-1:])
    assert list(decoder.messages()) == [Message("frame", ("1", "json"), b"{}")]
    assert not decoder.partial


def test_a_large_payload_in_tiny_pieces_takes_linear_time() -> None:
    data = encode("frame", 1, "json", payload=b"x" * (1 << 20))
    begun = time.process_time()
    pieces = [data[at : at + 16] for at in range(0, len(data), 16)]
    assert len(decode(Side.AGENT, *pieces)) == 1
    assert time.process_time() - begun < 1
