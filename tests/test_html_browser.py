"""The page of `report --html` in a real browser: phone and desktop, light, dark and paper. Skipped without one.

``SERTOOLS_SCREENSHOTS=DIR`` keeps the screenshots; ``SERTOOLS_RESULTS`` names result files (a glob pattern) to take
them of instead of made-up ones.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from glob import glob
from pathlib import Path

import pytest
from browser import Page, browser_page, find_browser
from test_report import FULL, GAN, IMBALANCED, grid

from sertools.provenance import Input, history
from sertools.reporting.reports.page import render_page
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.result_file import read_result

WIDTHS = (390, 1440)
_TALK = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
# A name with nowhere to break, as wide as a phone and more; a command as long as a real one.
LONG = "a-method-" + "w" * 70
(COMMAND,) = history(
    "train-clf", {"arch": "cnn", **{f"setting_{k}": k for k in range(30)}}, {"train": [Input("ab" * 16)]}, 1
)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of real results if there are some, else of runs with long names."""
    paths = sorted(glob(os.environ.get("SERTOOLS_RESULTS", ""), recursive=True))
    runs = [read_result(path) for path in paths]
    if not runs:
        many = [run for k in range(9) for run in grid(f"{LONG}{k}", 0.5, reduced=("angry", "sad"), seeds=("0", "1"))]
        runs = [replace(run, history=(COMMAND,)) for run in [*FULL, *IMBALANCED, *GAN, *many]]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_page(summarise(runs), runs), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with browser_page(path, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("SERTOOLS_SCREENSHOTS") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_quiet_and_fits(browser: Page, page_file: Path, pictures: Path, width: int, scheme: str) -> None:
    browser.open(page_file, width, prefers_color_scheme=scheme)
    browser.value("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert [event for event in browser.events if event["method"] in _TALK] == []
    asked = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked == [page_file.as_uri()]
    assert browser.value("document.compatMode") == "CSS1Compat"
    assert browser.value("window.innerWidth") == width
    assert browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    # What is wider than the screen scrolls in a box of its own.
    assert browser.value(_STICKING_OUT) == []
    assert browser.value("document.querySelector('h1').textContent").endswith("in speech emotion recognition")
    # No letter is smaller than one can read.
    assert browser.value(_SMALLEST) >= 12
    ground = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    browser.picture(pictures / f"report-{width}-{scheme}.png", 6000)
    assert (pictures / f"report-{width}-{scheme}.png").stat().st_size > 10_000


def test_letters_stand_out_from_their_ground(browser: Page, page_file: Path) -> None:
    for scheme in ("light", "dark"):
        browser.open(page_file, 1440, prefers_color_scheme=scheme)
        assert browser.value(_CONTRAST) >= 4.5, scheme


def test_paper_is_white_whatever_the_screen_is(browser: Page, page_file: Path) -> None:
    browser.open(page_file, 1440, prefers_color_scheme="dark")
    browser.ask("Emulation.setEmulatedMedia", media="print")
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.value("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert len(browser.ask("Page.printToPDF", printBackground=False)["data"]) > 10_000
    browser.ask("Emulation.setEmulatedMedia", media="")


# Elements beyond the right edge that no box with a scroll bar holds.
_STICKING_OUT = """
[...document.body.querySelectorAll('*')].filter(each => {
  if (each.closest('.scroll, pre, svg') && !each.matches('.scroll, pre, svg')) return false;
  const box = each.getBoundingClientRect();
  return box.width && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).map(each => each.outerHTML.slice(0, 80))
"""
_SMALLEST = """
Math.min(...[...document.body.querySelectorAll('*')]
  .filter(each => !each.closest('svg') && each.textContent.trim())
  .map(each => parseFloat(getComputedStyle(each).fontSize)))
"""
# The lowest contrast of WCAG 2 between a cell's letters and its ground, colours with alpha laid over the page's.
_CONTRAST = """
(() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const page = parts(getComputedStyle(document.body).backgroundColor);
  const luminance = rgb => rgb.slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  return Math.min(...[...document.querySelectorAll('td, th, p, li, dt, dd, summary')].map(each => {
    const over = parts(getComputedStyle(each).backgroundColor), alpha = over.length > 3 ? over[3] : 1;
    const ground = luminance(page.map((c, k) => alpha * over[k] + (1 - alpha) * c));
    const letters = luminance(parts(getComputedStyle(each).color));
    return (Math.max(ground, letters) + 0.05) / (Math.min(ground, letters) + 0.05);
  }));
})()
"""
