"""The page in a real browser: a quiet console, no request, no sideways scrolling, two themes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_session
import pytest

from reports.html import render

pytestmark = pytest.mark.browser
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(fake_session.view(), tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(params=[(400, "light"), (400, "dark"), (1400, "light"), (1400, "dark")], ids=str)
def opened(request, browser, report) -> Iterator[tuple[Any, list[str], list[str]]]:
    width, scheme = request.param
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda one: asked.append(one.url))
    page.goto(report.as_uri())
    yield page, said, asked
    page.close()


def test_it_opens_from_a_file_without_a_word_and_asks_for_nothing(opened, report):
    _, said, asked = opened
    assert said == []
    assert [url for url in asked if url not in (report.as_uri(), "data:,")] == []


def test_it_never_scrolls_sideways(opened):
    page, _, _ = opened
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == page.viewport_size["width"]


def test_text_stands_out_from_its_background(opened):
    """Every text has a contrast of 4.5 or more (WCAG AA), badges and pictures included."""
    page, _, _ = opened
    faint = page.evaluate(
        """() => {
          const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
          const lum = ([r, g, b]) => [r, g, b].map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          const back = e => {
            for (; e; e = e.parentElement) {
              const c = parse(getComputedStyle(e).backgroundColor);
              if (c.length === 3 || c[3] > 0) return c;
            }
          };
          const faint = [];
          for (const e of document.querySelectorAll("body *")) {
            const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
            if (!own || e.closest("style")) continue;
            const style = getComputedStyle(e);
            const fore = parse(e.closest("svg") ? style.fill : style.color);
            const [a, b] = [lum(fore), lum(back(e))].sort((x, y) => y - x);
            if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(e.tagName + e.className + e.textContent);
          }
          return faint;
        }"""
    )
    assert faint == []


def test_pictures_are_drawn_in_the_colours_of_the_page(opened):
    page, _, _ = opened
    unresolved, drawn = page.evaluate(
        """() => {
          const ink = getComputedStyle(document.body).color;
          const texts = [...document.querySelectorAll("svg text")];
          return [texts.filter(t => getComputedStyle(t).fill === "none").length,
                  texts.filter(t => getComputedStyle(t).fill === ink).length];
        }"""
    )
    assert unresolved == 0
    assert drawn > 10


def test_wide_tables_scroll_inside_their_frame_by_keyboard(opened):
    page, _, _ = opened
    frame = page.locator("#measurements ~ div.scroll").first
    frame.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    moved, room = frame.evaluate("e => [e.scrollLeft, e.scrollWidth - e.clientWidth]")
    assert moved > 0 or room <= 1
    if page.viewport_size["width"] == 400:
        assert moved > 0


def test_hostile_names_do_not_run(browser, tmp_path):
    from test_html import ATTACKS, hostile

    page = browser.new_page(viewport={"width": 400, "height": 900})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    for number, attack in enumerate(ATTACKS):
        path = render(hostile(attack), tmp_path / f"{number}.html")
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 400, attack
    page.close()
    assert said == []
