"""Bad input at a gateway over real TLS: a coded error, a count, and a healthy next connection."""

import json
import shutil
import socket
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread, deferToThread
from twisted.trial.unittest import TestCase

from agent import wire
from agent_gateway.gateway import Gateway
from eventframework.catalogue import NodeDeleted
from eventframework.event import Event
from eventframework.framework import Framework
from eventframework.memory import MemoryBroker
from eventframework.policy import Share
from eventframework.stream import Batch
from eventframework.topology import Tap, Topology
from picket import tls
from picket.settings import Endpoint, Limits
from rpc import idl
from rpc.errors import Refused, Unavailable
from statslib import Stats
from tests.agent_client import AgentClient
from tests.timeseries.hostile import ACCEPTED, REFUSED
from timeseries.frames import Frame, decode_batch, decode_payload

KEY = {"key": "pk_good", "secret": "ps_good"}
GOOD = [{"check": "cpu", "metrics": {"cpu_user": 1.5}}]
SAID_ABOUT = {"version": "1", "host": "h", "platform": "p", "machine": "m"}


def now_ms() -> int:
    return int(time.time() * 1000)


class StubDirectory:
    """Knows one key; another one finds it away."""

    async def hello(self, hello: idl.Hello) -> idl.Welcome:
        if hello.key == "pk_away":
            raise Unavailable("no directory")
        if (hello.key, hello.secret) != ("pk_good", "ps_good"):
            raise Refused("bad_key", "no such key")
        return idl.Welcome(account_id="a1", node_id="n1", node_secret="s")

    async def assignments(self, _account_id: str, _node_id: str) -> list[idl.Assignment]:
        return [idl.Assignment(check="cpu", key="", params="{}", interval_s=10)]


class BadInputTest(TestCase):
    timeout = 30

    async def setUp(self) -> None:  # type: ignore[override]
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        files = tls.ensure(self.folder)
        self.ca = files.ca
        self.frames: list[Frame] = []
        taps = (Tap("results", "archive", Share.SCOPED),)
        broker = MemoryBroker(None, reactor, topology=Topology((), taps))
        self.bus = Framework(broker, reactor)
        self.bus.stream("results").consume("archive", self.archive)
        await self.bus.start()
        self.stats = Stats("gateway")
        self.gateway = Gateway(
            clock=reactor,
            bus=self.bus,
            directory=StubDirectory(),
            limits=Limits(line_bytes=512, frame_bytes=1 << 18, hello_s=1, silence_s=2, frames_in_flight=1000),
            stats=self.stats,
            gateway_id="g1",
        )
        await self.gateway.start(cast(Any, reactor), Endpoint("127.0.0.1", 0), files)

    async def tearDown(self) -> None:  # type: ignore[override]
        await self.gateway.stop()
        await self.bus.stop()

    async def archive(self, batch: Batch) -> None:
        self.frames += decode_batch(batch.body)

    def counted(self, name: str) -> float:
        return {metric.name: metric.value for metric in self.stats.metrics()}.get(name, 0)

    async def say(self, talk: Callable[[AgentClient], Any]) -> Any:
        """Talk to the gateway in a thread; afterwards a good agent must find it well."""

        def thd_talk() -> Any:
            with AgentClient(("127.0.0.1", self.gateway.port), self.ca, 10) as client:
                answer = talk(client)
            with AgentClient(("127.0.0.1", self.gateway.port), self.ca, 10) as healthy:
                healthy.hello(KEY, "m")
                healthy.frame(77, GOOD)
                healthy.wait_for({77})
            return answer

        return await deferToThread(thd_talk)

    async def error_after(self, data: bytes, *, hello: bool) -> str:
        def talk(client: AgentClient) -> str:
            if hello:
                client.hello(KEY, "m")
            client.send(data)
            code = client.expect("error").words[0]
            assert list(client.messages()) == [], "the gateway closes"
            return code

        code: str = await self.say(talk)
        self.assertEqual(self.counted(f"closed_{code}"), 1)
        return code

    async def refused_after(self, encoding: str, payload: bytes) -> str:
        def talk(client: AgentClient) -> str:
            client.hello(KEY, "m")
            client.send(wire.encode("frame", 1, encoding, payload=payload))
            seq, code, _ = client.expect("refused").words
            assert seq == "1"
            client.frame(2, GOOD)
            client.wait_for({2})
            return code

        code: str = await self.say(talk)
        self.assertEqual(self.counted("frames_refused"), 1)
        self.assertEqual([frame.origin for frame in self.frames], ["a:2", "a:77"])
        return code

    async def test_garbage_is_an_unknown_command(self) -> None:
        self.assertEqual(await self.error_after(b"\x00\xff garbage\n", hello=False), "unknown_command")

    async def test_garbage_after_hello_is_too(self) -> None:
        self.assertEqual(await self.error_after(b"\x00\xff garbage\n", hello=True), "unknown_command")

    async def test_a_frame_before_hello_is_not_taken(self) -> None:
        data = wire.encode("frame", 1, "json", payload=b"{}")
        self.assertEqual(await self.error_after(data, hello=False), "hello_expected")

    async def test_a_wrong_key_is_refused_with_the_directorys_code(self) -> None:
        hello = json.dumps({"key": "pk_bad", "secret": "x", **SAID_ABOUT}).encode()
        self.assertEqual(
            await self.error_after(wire.encode("hello 2", payload=hello), hello=False), "bad_key"
        )

    async def test_a_directory_that_is_away_means_try_later(self) -> None:
        hello = json.dumps({"key": "pk_away", "secret": "x", **SAID_ABOUT}).encode()
        code = await self.error_after(wire.encode("hello 2", payload=hello), hello=False)
        self.assertEqual(code, "unavailable")

    async def test_a_hello_without_its_fields_is_bad(self) -> None:
        code = await self.error_after(wire.encode("hello 2", payload=b"{}"), hello=False)
        self.assertEqual(code, "bad_hello")

    async def test_a_version_1_agent_is_told_so(self) -> None:
        code = await self.error_after(b"hello 1 0.9.21 KEY SECRET\n", hello=False)
        self.assertEqual(code, "unsupported_protocol")

    async def test_an_oversized_line_is_cut_off(self) -> None:
        self.assertEqual(await self.error_after(b"x" * 600, hello=True), "line_too_long")

    async def test_an_oversized_frame_is_refused_for_good_before_the_close(self) -> None:
        def talk(client: AgentClient) -> tuple[str, ...]:
            client.hello(KEY, "m")
            client.send(b"frame 9 json 262145\n")
            refused = client.expect("refused").words[:2]
            return (*refused, client.expect("error").words[0])

        self.assertEqual(await self.say(talk), ("9", "payload_too_large", "payload_too_large"))

    async def test_a_frame_that_is_not_json_is_refused(self) -> None:
        self.assertEqual(await self.refused_after("json", b"not json"), "not_json")

    async def test_a_frame_that_does_not_fit_the_schema_is_refused(self) -> None:
        self.assertEqual(await self.refused_after("json", b'{"time": "now"}'), "bad_frame")

    async def test_a_frame_from_the_future_is_refused(self) -> None:
        self.assertEqual(
            await self.refused_after("json", b'{"time": 99999999999999, "results": []}'), "bad_time"
        )

    async def test_frames_of_hostile_content_are_refused_whole(self) -> None:
        def talk(client: AgentClient) -> dict[str, str]:
            client.hello(KEY, "m")
            codes = {}
            for seq, (name, payload) in enumerate(REFUSED.items(), 1):
                client.send(wire.encode("frame", seq, "zlib", payload=zlib.compress(payload(now_ms()))))
                answered, codes[name], _ = client.expect("refused").words
                assert answered == str(seq)
            return codes

        codes = await self.say(talk)
        self.assertEqual(codes, {name: name.split(":")[0] for name in REFUSED})
        self.assertEqual(self.counted("frames_refused"), len(REFUSED))
        self.assertEqual([frame.origin for frame in self.frames], ["a:77"])

    async def test_what_is_odd_but_good_is_taken(self) -> None:
        def talk(client: AgentClient) -> None:
            client.hello(KEY, "m")
            for seq, payload in enumerate(ACCEPTED.values(), 1):
                client.send(wire.encode("frame", seq, "zlib", payload=zlib.compress(payload(now_ms()))))
            client.wait_for(set(range(1, len(ACCEPTED) + 1)))

        await self.say(talk)
        bodies = dict(zip(ACCEPTED, [decode_payload(frame.payload) for frame in self.frames], strict=False))
        self.assertEqual(bodies["duplicate keys"].results[0].metrics, {"m": 2})

    async def test_an_unknown_encoding_is_refused(self) -> None:
        self.assertEqual(await self.refused_after("lzma", b"{}"), "bad_encoding")

    async def test_the_agent_of_a_deleted_node_is_disconnected_and_no_other(self) -> None:
        def talk(client: AgentClient) -> str:
            client.hello(KEY, "m")
            for account_id, node_id in (("a1", "n2"), ("a2", "n1")):
                self.tell(NodeDeleted(account_id=account_id, node_id=node_id))
            client.frame(1, GOOD)
            client.wait_for({1})
            self.tell(NodeDeleted(account_id="a1", node_id="n1"))
            return client.expect("error").words[0]

        self.assertEqual(await self.say(talk), "node_deleted")

    def tell(self, event: Event) -> None:
        publish: Any = lambda: Deferred.fromCoroutine(self.bus.publish(event))  # noqa: E731
        blockingCallFromThread(cast(Any, reactor), publish)

    async def test_half_a_frame_then_silence_is_incomplete(self) -> None:
        code = await self.error_after(b"frame 1 json 100\n{", hello=True)
        self.assertEqual(code, "incomplete_message")

    async def test_silence_after_the_handshake_is_a_hello_timeout(self) -> None:
        self.assertEqual(await self.error_after(b"", hello=False), "hello_timeout")

    async def test_a_handshake_that_never_ends_is_cut_off(self) -> None:
        def talk(_: AgentClient) -> bytes:
            with socket.create_connection(("127.0.0.1", self.gateway.port), 10) as raw:
                raw.sendall(b"\x16\x03\x01")
                try:
                    return raw.recv(10)
                except ConnectionResetError:
                    return b""

        self.assertEqual(await self.say(talk), b"")
        self.assertGreaterEqual(self.counted("closed_hello_timeout"), 1)

    async def test_plain_text_instead_of_tls_fails_the_handshake(self) -> None:
        def talk(client: AgentClient) -> None:
            client.hello(KEY, "m")
            with socket.create_connection(("127.0.0.1", self.gateway.port), 10) as raw:
                raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
                while raw.recv(1000):
                    pass

        await self.say(talk)
        self.assertEqual(self.counted("closed_tls_failed"), 1)
