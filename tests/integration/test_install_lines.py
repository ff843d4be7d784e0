"""The lines on "Add a server", pasted as they are but for the folders, bring a server in."""

import html
import os
import re
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest

from tests.integration.test_path import get, values
from tests.product import Embedded, Product, eventually

FOLDERS = ("/etc/picket-agent", "/var/lib/picket-agent", "/opt/picket-agent", "/run/systemd/system")


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="picket-lines-") as folder:
        yield Path(folder)


def install_lines(product: Product) -> str:
    """What the page shows to somebody who signs in and asks for it."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    browser.open(product.sign_in_link)
    page = browser.open(f"{product.url}/nodes/add").read().decode()
    (token, *_) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    form = urlencode({"csrfmiddlewaretoken": token}).encode()
    made = browser.open(f"{product.url}/nodes/add", form).read().decode()
    found = re.search(r'<pre id="lines">(.*?)</pre>', made, re.DOTALL)
    assert found, made
    return html.unescape(found[1])


def test_the_install_lines_bring_this_machine_in(place: Path) -> None:
    running = Embedded(place / "home", "--no-agent")
    try:
        product = running.start()
        lines = install_lines(product)
        for folder in FOLDERS:
            lines = lines.replace(folder, f"{place}{folder}")
        lines = lines.replace("pip install", "pip install --no-index --no-deps")
        (place / "only").mkdir()
        (place / "only/psutil").symlink_to(Path(psutil.__file__).parent)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(place / "only")}
        with (place / "agent.log").open("w") as log:
            shell = subprocess.Popen(
                ["sh", "-c", lines],
                env=environment,
                cwd=place,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            node = eventually(lambda: get(product, "/2.0/nodes")["items"], within_s=60)[0]
            path = f"/1.0/query/node/{node['id']}/check/mem"
            assert "mem_used" in eventually(partial(values, product, path))
            conf = place / "etc/picket-agent/agent.conf"
            assert conf.stat().st_mode & 0o777 == 0o600
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
            shell.wait(10)
    finally:
        running.stop()
