"""docs/events.md says what the catalogue and the services say."""

from ops.event_docs import PAGE, page


def test_the_page_of_events_is_true() -> None:
    assert PAGE.read_text() == page(), "make it anew: .venv/bin/python -m ops.event_docs"
