"""Ports that are held until the server answers."""

import socket

from ops.engines.ports import HOST, reserved


def _listen(port: int) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((HOST, port))
    server.listen()
    return server


def test_a_server_can_listen_on_a_port_while_it_is_held() -> None:
    with reserved(["main"], {}) as ports, _listen(ports["main"]):
        socket.create_connection((HOST, ports["main"])).close()


def test_held_ports_are_given_to_nobody_else() -> None:
    with (
        reserved([str(n) for n in range(200)], {}) as first,
        reserved([str(n) for n in range(200)], {}) as second,
    ):
        assert len(set(first.values()) | set(second.values())) == 400


def test_the_port_of_the_last_start_comes_back_and_another_when_somebody_listens_there() -> None:
    with reserved(["main"], {}) as ports:
        former = dict(ports)

    with reserved(["main"], former) as ports:
        assert ports == former
    with _listen(former["main"]), reserved(["main"], former) as ports:
        assert ports != former
