"""The board's page in a real browser: no error, no request, no sideways scrolling on a desk or a phone."""

from pathlib import Path

import pytest

from headrace.interfaces.report.page import render
from result_builder import build_result

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: install chromium to run this test")
    api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "board.html"
    render(build_result(days=3), path)
    return path.as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_opens_without_error_request_or_sideways_scroll(browser, address, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    errors, requests = [], []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    page.wait_for_load_state("load")
    assert errors == []
    assert [url for url in requests if url != address and not url.startswith("data:")] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shown = page.locator(".wide" if width == 1280 else ".narrow").first
    assert shown.is_visible()
    page.close()


def test_text_is_readable_on_its_background_in_both_schemes(browser, address):
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        page.goto(address)
        ratios = page.evaluate(
            """() => {
              const lum = c => {const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255)
                .map(x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
                return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]};
              const root = getComputedStyle(document.body), card = getComputedStyle(document.querySelector('svg'));
              const inkAt = s => getComputedStyle(document.querySelector(s)).color;
              const inks = ['body', '.src', '.beside b', 'thead th'].map(inkAt);
              const inkOf = s => getComputedStyle(document.querySelector(s)).fill;
              const pairs = inks.map(i => [i, root.backgroundColor]).concat(
                [[inkOf('svg text'), card.backgroundColor], [inkOf('svg .mut'), card.backgroundColor]]);
              return pairs.map(([a, b]) => {const [x, y] = [lum(a), lum(b)].sort((p, q) => q - p);
                return (x + .05) / (y + .05)})}"""
        )
        assert min(ratios) >= 4.5, f"{scheme}: {ratios}"
        page.close()
