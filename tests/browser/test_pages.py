"""The pages in a real browser, on a running product with an agent of this machine."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.product import Product

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
SCREENSHOT = Path(__file__).parents[2] / "docs/screenshot.png"
FIRST_DATA_MS = 40_000
NEXT_FRAME_MS = 25_000
PHONE = {"width": 360, "height": 760}
CPU = "figure[data-check=cpu]"
MACHINE = "tr[data-node]:not([data-name^='test-'])"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        if os.environ.get("PICKET_REQUIRE_ENGINES"):
            pytest.fail(f"there is no {CHROMIUM}")
        pytest.skip(f"there is no {CHROMIUM}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, product: Product) -> Iterator[Page]:
    """A page of the overview, signed in by a one-time link; the test fails on any error in the console."""
    context = browser.new_context(viewport={"width": 1440, "height": 1180})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(urljoin(product.url + "/", product.sign_in_link))
    expect(page).to_have_title("Servers – Picket")
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def node_page(page: Page) -> Page:
    """The page of this machine, once it has a graph with points."""
    page.locator(f"{MACHINE} .name a").click(timeout=FIRST_DATA_MS)
    page.wait_for_selector(f"{CPU}:not([data-points='0'])", timeout=FIRST_DATA_MS)
    return page


def last_point(page: Page) -> int:
    """The time of the newest point of the CPU graph, in milliseconds."""
    return int(page.locator(CPU).get_attribute("data-last") or 0)


def wait_for_a_newer_point(page: Page) -> None:
    newer = "([selector, before]) => Number(document.querySelector(selector).dataset.last) > before"
    page.wait_for_function(newer, arg=[CPU, last_point(page)], timeout=NEXT_FRAME_MS)


def take_screenshot(page: Page) -> None:
    """The picture in the README, once there is something to see."""
    page.goto(page.url.partition("?")[0] + "?from=now-5m")
    page.wait_for_function(
        "selector => document.querySelector(selector)?.dataset.points > 28", arg=CPU, timeout=330_000
    )
    page.screenshot(path=SCREENSHOT)


def is_wider_than_the_window(page: Page) -> bool:
    wider: bool = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return wider


def test_a_graph_gains_points_without_a_reload(node_page: Page) -> None:
    node_page.evaluate("window.notReloaded = true")
    before = int(node_page.locator(CPU).get_attribute("data-points") or 0)
    wait_for_a_newer_point(node_page)
    assert int(node_page.locator(CPU).get_attribute("data-points") or 0) > before
    assert node_page.evaluate("window.notReloaded")
    expect(node_page.locator("#live")).to_have_text("Live")
    expect(node_page.locator(".state")).to_have_text("Reporting")
    if os.environ.get("PICKET_SCREENSHOT"):
        take_screenshot(node_page)


def test_every_check_of_the_machine_has_its_graph(node_page: Page) -> None:
    for check in ("cpu", "mem", "disk", "net", "loadaverage"):
        graph = node_page.locator(f"figure[data-check={check}]").first
        graph.wait_for(timeout=NEXT_FRAME_MS)
        expect(graph.locator("canvas")).to_be_visible()


def test_the_overview_shows_the_machine_and_moves(page: Page) -> None:
    row = page.locator(MACHINE)
    expect(row.locator(".state")).to_have_text("Reporting", timeout=FIRST_DATA_MS)
    expect(row.locator("[data-gauge=mem] b")).to_have_text(re.compile(r"\d"), timeout=FIRST_DATA_MS)
    name = row.get_attribute("data-name") or ""
    page.keyboard.press("/")
    page.keyboard.type("no server is called this")
    expect(row).to_be_hidden()
    page.locator("#filter").fill(name[:3])
    expect(row).to_be_visible()
    assert "q=" in page.url


def test_the_range_lives_in_the_address_and_back_undoes_a_zoom(node_page: Page) -> None:
    node_page.get_by_role("link", name="1 h", exact=True).click()
    assert "from=now-1h" in node_page.url
    plot = node_page.locator(f"{CPU} .u-over").bounding_box()
    assert plot
    middle = plot["y"] + plot["height"] / 2
    node_page.mouse.move(plot["x"] + 100, middle)
    node_page.mouse.down()
    node_page.mouse.move(plot["x"] + 200, middle, steps=5)
    node_page.mouse.up()
    expect(node_page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    expect(node_page.locator("#live")).to_have_text("Paused")
    node_page.go_back()
    expect(node_page).to_have_url(re.compile("from=now-1h"))
    expect(node_page.locator("#live")).to_have_text("Live")


def test_the_table_behind_a_graph_has_its_values(node_page: Page) -> None:
    graph = node_page.locator(CPU)
    graph.locator("summary").click()
    expect(graph.locator("thead th").first).to_have_text("Time")
    assert graph.locator("tbody tr").count() == int(graph.get_attribute("data-points") or 0)
    expect(graph.locator("tbody td").nth(1)).to_have_text(re.compile(r"\d.*%"))


def test_dark_mode_follows_the_system_and_a_press_overrides_it(node_page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = node_page.evaluate(ground)
    node_page.emulate_media(color_scheme="dark")
    expect(node_page.locator("html")).to_have_attribute("data-theme", "dark")
    assert node_page.evaluate(ground) != light
    node_page.locator("#theme").click()
    node_page.reload()
    assert node_page.evaluate(ground) == light


@pytest.mark.parametrize("path", ["/", "/nodes/add", "/keys", "/services"])
def test_no_page_scrolls_sideways_on_a_phone(page: Page, path: str) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(urljoin(page.url, path))
    assert not is_wider_than_the_window(page)


def test_the_services_page_shows_who_beats_and_renews_itself(page: Page) -> None:
    page.get_by_role("link", name="Services").click()
    for service in ("archive", "gateway", "watchdog", "web"):
        row = page.locator(f"tr[data-service={service}]").first
        expect(row.locator(".state")).to_have_text("Up", timeout=FIRST_DATA_MS)
    page.evaluate("document.querySelector('#services').dataset.old = 'yes'")
    expect(page.locator("#services:not([data-old])")).to_be_visible(timeout=NEXT_FRAME_MS)


def test_the_node_page_fits_a_phone(node_page: Page) -> None:
    node_page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    node_page.reload()
    node_page.wait_for_selector(f"{CPU} canvas")
    assert not is_wider_than_the_window(node_page)


def test_who_signs_out_sees_nothing_more(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in – Picket")
    page.goto(urljoin(page.url, "/"))
    expect(page).to_have_title("Sign in – Picket")
