"""webapp.backend."""

import pytest

from webapp import backend
from webapp.errors import BackendUnavailable


def test_what_was_not_installed_is_unavailable() -> None:
    backend.install()
    for ask in (backend.timeseries, backend.live):
        with pytest.raises(BackendUnavailable):
            ask()
