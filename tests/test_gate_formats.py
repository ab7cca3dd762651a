"""A judgement in each format: what it says, and that no name can break out of it."""

from __future__ import annotations

import json
import math
import re
import unicodedata
import xml.etree.ElementTree as ET

import gate_session
import msgspec
import pytest

from harness.errors import UsageError
from harness.gate.judge import judge
from harness.gate.policy import Limit, Policy
from harness.gate.verdict import Judgement, MetricVerdict
from reports.gate import FORMATS, render
from reports.gate.markdown import escaped

HOSTILE = [
    '"><svg/onload=alert(1)>',
    "a|b\n| c | d |",
    "]]></failure><testcase/>",
    "\x1b[31mred\x00\x08\u202e\ud800\ufffe",
    "`code` **bold** [x](http://evil.example) ![i](javascript:1)",
    "@everyone fixes #1 https://evil.example www.evil.example <!-- -->",
    "</details><details open>",
    "&lt;b&gt; &#64;",
]


def judged(slower: float = 1.06, **policy: object) -> Judgement:
    plan = gate_session.plan()
    return judge(plan, gate_session.runs(plan, slower=slower, samples=220), Policy(**policy), ())


def hostile(text: str) -> Judgement:
    """A judgement in which every free text is `text`."""
    found = judged(budgets={"size": Limit(value=1)})
    verdicts = tuple(
        msgspec.structs.replace(verdict, pair=text, reason=text, advice=text)
        for verdict in found.verdicts
    )
    return msgspec.structs.replace(
        found, verdicts=verdicts, base=text, candidate=text, device=text, warnings=(text,)
    )


def test_the_text_says_the_outcome_first_and_the_worst_line_first():
    text = render(judged())
    lines = text.splitlines()
    assert lines[0] == "REGRESSED: digits int8-dynamic against digits fp32 on local"
    assert lines[2].split()[:3] == ["outcome", "metric", "base"]
    assert lines[3].startswith("REGRESSED  latency p50")
    assert re.search(
        r"2\.0\d ms +2\.1\d ms +\+[56]\.\d+ % \(\+[56].\d+ % to \+[67].\d+ %\)", lines[3]
    )
    assert "margin 3.00 %" in lines[3]
    assert lines[4].startswith("PASS ")
    assert "UNCALIBRATED: 0 of 99 A/A sessions" in text
    assert "alpha 0.01 over a family of 2 tests and two looks" in text
    assert "  warning: " in text


def test_the_text_shows_budgets_with_their_limit():
    text = render(
        judged(1.0, budgets={"size": Limit(value=500), "quality_loss": Limit(value=0.012)})
    )
    assert re.search(r"OVER-BUDGET +file size budget +— +1 kB +— +at most 500 B", text)
    assert "at most 1.20 %" in text


def test_markdown_is_a_table_with_the_details_folded_away():
    text = render(judged(), "markdown")
    assert text.startswith("**REGRESSED**: ")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {8}
    assert text.index("UNCALIBRATED") < text.index("<details>")
    assert text.count("<details>") == text.count("</details>") == 1


def test_json_has_every_field_and_finite_numbers_only():
    judgement = judged()
    endless = msgspec.structs.replace(
        judgement,
        smallest_p=math.nan,
        verdicts=tuple(msgspec.structs.replace(v, change_hi=math.inf) for v in judgement.verdicts),
    )
    found = json.loads(render(endless, "json"), parse_constant=pytest.fail)
    assert found["version"] == 1
    assert found.keys() - {"version"} == set(Judgement.__struct_fields__)
    assert found["verdicts"][0].keys() == set(MetricVerdict.__struct_fields__)
    assert found["smallest_p"] is None
    assert found["verdicts"][0]["change_hi"] is None
    assert found["exit_code"] == 1
    assert found["verdicts"][0]["p"] == judgement.verdicts[0].p


def test_junit_tells_failures_errors_and_what_does_not_block_apart():
    policy = {"budgets": {"latency_p99": Limit(value=1.0), "size": Limit(value=1)}}
    judgement = judged(margins={"quality": 0.01}, block=("over-budget", "inconclusive"), **policy)
    root = ET.fromstring(render(judgement, "junit"))
    suite = root[0]
    kinds = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert kinds == {
        "latency p50": ["skipped"],
        "peak memory": ["system-out"],
        "quality": ["error"],
        "latency p99 budget": ["system-out"],
        "file size budget": ["failure"],
    }
    for element in (root, suite):
        counts = {key: element.get(key) for key in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "1"}
    assert suite.find("testcase/skipped").get("message").startswith("REGRESSED: +")
    assert suite.find("testcase/failure").get("type") == "over-budget"
    properties = {entry.get("name"): entry.get("value") for entry in suite.iter("property")}
    assert properties["outcome"] == "over-budget"
    assert properties["calibration"].startswith("UNCALIBRATED")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_drives_a_terminal_or_breaks_an_encoding(form, text):
    shown = render(hostile(text), form)
    shown.encode("utf-8")
    bad = [one for one in shown if unicodedata.category(one)[0] == "C" and one not in "\n\u2060"]
    assert not bad


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_junit_stays_well_formed(text):
    root = ET.fromstring(render(hostile(text), "junit"))
    assert [child.tag for child in root] == ["testsuite"]
    assert len(list(root.iter("testcase"))) == 3
    assert not list(root.iter("svg"))
    assert {case.get("classname") for case in root.iter("testcase")} != {None}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown_stays_a_table_without_markup_of_others(text):
    shown = render(hostile(text), "markdown")
    table = [line for line in shown.splitlines() if line.startswith("|")]
    assert len(table) == 5
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {8}
    ours = shown
    for tag in ("<details><summary>Details</summary>", "</details>"):
        assert ours.count(tag) == 1
        ours = ours.replace(tag, "")
    assert not re.search(r"(?<!\\)[<`\[]", ours)
    assert not re.search(r"(@|#|www)(?=[\w.])|://", ours)


def test_escaped_text_reads_as_before():
    text = "a_b *c* <d> |e| @f 5 % + 3 = 8."
    assert re.sub(r"\\(.)", r"\1", escaped(text)).replace("\u2060", "") == text


def test_a_line_of_the_text_stays_one_line():
    text = render(hostile("x\ny\r\nz"))
    assert "x y" in text
    assert not any(line.startswith(("y", "z")) for line in text.splitlines())


def test_an_unknown_format_is_refused():
    with pytest.raises(UsageError, match="unknown format 'html'"):
        render(judged(), "html")


def test_every_format_answers_for_a_session_without_data():
    plan = gate_session.plan()
    empty = judge(plan, (), Policy(budgets={"latency_p99": Limit(value=0.2)}), ())
    for form in FORMATS:
        told = render(empty, form)
        assert "INCONCLUSIVE" in told.upper()
        assert told == told.strip()
