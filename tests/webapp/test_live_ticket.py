"""webapp.live_ticket."""

from unittest.mock import patch

import pytest

from webapp import live_ticket
from webapp.errors import Refused


def test_a_ticket_names_its_account() -> None:
    assert live_ticket.read(live_ticket.make("a0123456789", "key"), "key") == "a0123456789"


def test_a_ticket_of_another_key_and_a_changed_one_are_refused() -> None:
    ticket = live_ticket.make("a0123456789", "key")
    for wrong in (live_ticket.make("a0123456789", "other"), "x" + ticket, "", "::", "é:1:2"):
        with pytest.raises(Refused):
            live_ticket.read(wrong, "key")


def test_a_ticket_ends_after_twelve_hours() -> None:
    with patch("time.time", return_value=1_000_000):
        ticket = live_ticket.make("a0123456789", "key")
    with patch("time.time", return_value=1_000_000 + 12 * 3600 - 1):
        assert live_ticket.read(ticket, "key")
    with patch("time.time", return_value=1_000_000 + 12 * 3600 + 1), pytest.raises(Refused):
        live_ticket.read(ticket, "key")
