"""The proxy of the fault tests does to a connection what it says."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.faults.proxy import Proxy

SOON_S = 0.2


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with suppress(ConnectionResetError):
            while data := self.request.recv(100):
                self.request.sendall(data)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        with Proxy(("127.0.0.1", server.server_address[1])) as made:
            yield made
        server.shutdown()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as made:
        made.sendall(b"hello")
        assert made.recv(100) == b"hello"
        yield made


def test_cut_resets_each_connection_and_lets_new_ones_in(proxy: Proxy, client: socket.socket) -> None:
    assert proxy.cut() == 1
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as again:
        again.sendall(b"again")
        assert again.recv(100) == b"again"


def test_what_is_held_comes_after_the_release_and_nothing_was_closed(
    proxy: Proxy, client: socket.socket
) -> None:
    proxy.hold()
    client.sendall(b"held")
    client.settimeout(SOON_S)
    with pytest.raises(TimeoutError):
        client.recv(100)
    client.settimeout(5)
    proxy.release()
    assert client.recv(100) == b"held"


def test_while_it_holds_the_other_end_does_not_learn_of_a_close(proxy: Proxy, client: socket.socket) -> None:
    proxy.hold()
    client.shutdown(socket.SHUT_WR)
    client.settimeout(SOON_S)
    with pytest.raises(TimeoutError):
        client.recv(100)
    client.settimeout(5)
    proxy.release()
    assert client.recv(100) == b""


def test_a_delay_is_waited_on_each_way(proxy: Proxy, client: socket.socket) -> None:
    proxy.delay_s = 0.1
    began = time.monotonic()
    client.sendall(b"late")
    assert client.recv(100) == b"late"
    assert time.monotonic() - began >= 0.2


def test_a_server_that_is_away_ends_the_connection() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with (
            Proxy(nobody.getsockname()) as proxy,
            socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client,
        ):
            assert client.recv(100) == b""
