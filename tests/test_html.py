"""The page: its parts in order, valid markup, no way out and no way in."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import fake_session
import msgspec
import pytest

from harness.errors import UsageError
from reports.html import page, render
from reports.session import SessionView
from reports.text import table

ATTACKS = (
    '"><svg/onload=alert(1)>',
    "</style></title><script>alert(1)</script>",
    "\x1b[31m\x1b]0;owned\x07",
    "\u202egnp.exe\u2066",
    "$\\frac{1}{0}$ {{ 7*7 }} %s",
    "\ud800 \x00 ]]>",
    "y" * 10_000,
)
INVISIBLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
VOID = {"br", "link", "meta"}
SECTIONS = (
    "levels",
    "latency",
    "tradeoff",
    "quality",
    "throughput",
    "measurements",
    "evidence",
    "claims",
    "drift",
    "disturbances",
    "machine",
    "unranked",
    "reading",
    "data",
)


class Page(HTMLParser):
    """What a browser would make of the page: tags, attributes, text, and whether they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def text() -> str:
    return page(fake_session.view())


@pytest.fixture(scope="module")
def parsed(text: str) -> Page:
    return Page(text)


def test_the_markup_nests_and_ids_are_unique(parsed):
    assert parsed.wrong == []
    assert parsed.open == []
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere_in_the_page(parsed, text):
    ids = {attrs.get("id") for _, attrs in parsed.tags}
    links = [a.get("href") or a.get("xlink:href") for _, a in parsed.tags]
    inside = {link[1:] for link in links if link and link.startswith("#")}
    inside |= set(re.findall(r"url\(#([^)]+)\)", text))
    inside |= {one for _, a in parsed.tags if (one := a.get("aria-labelledby"))}
    assert inside <= ids
    outside = {link for link in links if link and not link.startswith("#")}
    assert outside == {"data:,"}


def test_the_parts_stand_in_their_order(parsed):
    ids = [attrs.get("id") for tag, attrs in parsed.tags if tag == "h2"]
    assert ids == ["answer-1", *SECTIONS]
    assert len(parsed.all("h1")) == 1


def test_nothing_is_loaded_nothing_runs_and_the_policy_says_so(parsed, text):
    tags = {tag for tag, _ in parsed.tags}
    assert not tags & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert not [a for _, a in parsed.tags if "style" in a or any(k.startswith("on") for k in a)]
    policy = next(a["content"] for a in parsed.all("meta") if "http-equiv" in a) or ""
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_tables_and_pictures_can_be_read_without_seeing_them(parsed):
    tables = len(parsed.all("table"))
    assert tables >= 4
    assert len(parsed.all("caption")) == tables
    assert all(attrs.get("scope") in ("col", "row", "rowgroup") for attrs in parsed.all("th"))
    pictures = parsed.all("svg")
    assert len(pictures) == 6
    assert all(a.get("role") == "img" and len(a.get("aria-label") or "") > 40 for a in pictures)
    regions = [a for a in parsed.all("div") if a.get("role") == "region"]
    assert all(a.get("tabindex") == "0" for a in regions)
    assert len(regions) == tables + 2


def test_pictures_take_their_colours_from_the_page(text):
    drawn = re.findall(r"<svg.*?</svg>", text, re.S)
    assert not [one for one in drawn if re.search(r"#0a0[0-9a-f]{3}\b", one)]
    assert all("var(--ink)" in one and "var(--series-" in one for one in drawn)
    assert all("<text" in one for one in drawn)


def test_the_reader_finds_answer_reasons_command_and_data(parsed):
    for words in (
        "For minilm-l6 ship int8-dynamic on openvino",
        "torchao has no calibrated static int8 for this processor",
        "the runtime stopped on SIGILL",
        "1 of 5 runs failed: no result within 120 s",
        "slower than FP32",
        "boardmark run --suite quantization --seed 7",
        "boardmark export --session 20261120T141500Z-3f2a --format parquet",
        "No power and energy: rapl: /sys/class/powercap holds no package counter.",
        "the clock was set during the session",
        "6.1.0-18-amd64",
        "92 comparisons:",
    ):
        assert words in parsed.text.replace("\u00a0", " "), words


def test_the_same_session_gives_the_same_page(text):
    assert page(fake_session.view()) == text


def poison(value: Any, attack: str) -> Any:
    """Replace every text inside `value` by the attack; keys of dicts stay."""
    if isinstance(value, str):
        return attack
    if isinstance(value, tuple | list):
        return type(value)(poison(one, attack) for one in value)
    if isinstance(value, dict):
        return {key: poison(one, attack) for key, one in value.items()}
    if isinstance(value, msgspec.Struct):
        kept = ("session_id", "case_key", "scenario", "verdict", "status", "side", "anchors")
        names = [name for name in value.__struct_fields__ if name not in kept]
        fields = {name: poison(getattr(value, name), attack) for name in names}
        return msgspec.structs.replace(value, **fields)
    return value


def hostile(attack: str) -> SessionView:
    """Return a session of a suite that is not ours, in which every text is the attack."""
    view = fake_session.view(blocks=5)
    return msgspec.structs.replace(
        view,
        plan=poison(msgspec.structs.replace(view.plan, cases=()), attack),
        rows=[poison(row, attack) for row in view.rows],
        runs=tuple(msgspec.structs.replace(run, reason=attack) for run in view.runs),
        problems=(attack,),
    )


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_no_text_of_a_session_becomes_markup(attack, parsed, tmp_path):
    view = hostile(attack)
    plan = msgspec.structs.replace(view.plan, suite="quantization")
    view = msgspec.structs.replace(view, plan=plan)
    text = render(view, tmp_path / "report.html").read_text(encoding="utf-8")
    attacked = Page(text)
    assert attacked.wrong == []
    assert {tag for tag, _ in attacked.tags} <= {tag for tag, _ in parsed.tags}
    assert not [a for _, a in attacked.tags if any(key.startswith("on") for key in a)]
    assert not INVISIBLE.search(text)
    assert "y" * 5000 not in text


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_no_text_of_a_session_reaches_the_terminal_raw(attack):
    text = table(hostile(attack))
    assert not INVISIBLE.search(text)
    text.encode()
    assert max(map(len, text.splitlines())) < 2000


def test_a_session_without_any_run_still_makes_a_page(tmp_path):
    view = fake_session.view(blocks=0)
    parsed = Page(render(view, tmp_path / "deep" / "er" / "report.html").read_text())
    assert "The data cannot name a level for minilm-l6" in parsed.text
    assert "continue with boardmark run --resume" in parsed.text
    parts = ["answer-1", *(name for name in SECTIONS if name != "drift")]
    assert [a.get("id") for tag, a in parsed.tags if tag == "h2"] == parts


def test_a_session_of_one_block_makes_a_page_without_a_winner(tmp_path):
    parsed = Page(page(fake_session.view(blocks=1)))
    assert "The data cannot name a level" in parsed.text
    assert "measure more blocks" in parsed.text


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UsageError, match="cannot write the report to"):
        render(fake_session.view(), tmp_path / "file" / "report.html")
    assert (tmp_path / "file").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_page_is_small_enough_to_send(text):
    assert len(text.encode()) < 1_000_000


def test_the_templates_travel_with_the_package():
    folder = Path(__file__).parent.parent / "reports" / "templates"
    assert {path.name for path in folder.iterdir()} == {
        *("report.css", "report.html.j2", "emulation.html.j2", "capacity.html.j2"),
        "macros.html.j2",
    }


def test_two_models_share_a_page_without_sharing_ids():
    view = fake_session.view()
    rows = [
        msgspec.structs.replace(row, model="second") if row.backend == "torch" else row
        for row in view.rows
    ]
    parsed = Page(page(msgspec.structs.replace(view, rows=rows)))
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert "The answer for second" in parsed.text
    assert "For second ship int8-dynamic on torch" in parsed.text
