"""What happens to a node, end to end: from the events that tell of it to the page of the node."""

import re
import urllib.request
from functools import partial
from http.cookiejar import CookieJar

from tests.agent_client import AgentClient
from tests.product import Product, eventually

CPU = {"check": "cpu", "metrics": {"cpu_idle": 85.0}, "status": "fine"}


def test_an_agent_that_comes_and_goes_leaves_a_history_on_the_page(product: Product) -> None:
    with AgentClient(product.agents, product.ca) as agent:
        agent.hello(product.key, "test-history")
        agent.frame(1, [CPU])
        agent.wait_for({1})
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    browser.open(product.sign_in_link, timeout=20).read()
    page = f"{product.url}/nodes/{agent.node}"
    expected = {"registered", "connected", "present", "disconnected"}
    eventually(partial(shows, browser, page, expected))


def shows(browser: urllib.request.OpenerDirector, page: str, expected: set[str]) -> bool:
    text = browser.open(page, timeout=20).read().decode()
    return expected == set(re.findall(r'data-kind="(\w+)"', text))
