"""A judgement as JUnit XML: one test case per verdict.

REGRESSED and OVER-BUDGET are failures: the candidate was tested and did not hold. FAILED and
INCONCLUSIVE are errors: the test itself came to no answer. Jenkins, GitLab and GitHub's reporters
show both in red and keep them apart. What the policy does not block is shown as skipped with its
reason: neither green, which would hide it, nor red, which would stop what the policy lets pass.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from harness.gate.verdict import Judgement, MetricVerdict
from reports.figures import plain
from reports.gate.lines import LONGEST, basis, headline, reason, title, warnings

_KINDS = {
    "regressed": "failure",
    "over-budget": "failure",
    "failed": "error",
    "inconclusive": "error",
}
_COUNTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def render(judgement: Judgement) -> str:
    """Return one well-formed document with one test suite."""
    kinds = [_kind(verdict) for verdict in judgement.verdicts]
    counts = {name: str(kinds.count(kind)) for name, kind in _COUNTS.items()}
    counts["tests"] = str(len(kinds))
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": plain(headline(judgement)), **counts})
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("outcome", judgement.outcome),
        ("session", judgement.session_id),
        ("device", judgement.device),
        ("calibration", judgement.calibration),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": plain(value, LONGEST)})
    for verdict, kind in zip(judgement.verdicts, kinds, strict=True):
        _test_case(suite, verdict, kind)
    ET.SubElement(suite, "system-out").text = "\n".join(
        (*basis(judgement), *(f"warning: {warning}" for warning in warnings(judgement)))
    )
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}'


def _kind(verdict: MetricVerdict) -> str | None:
    """Return the element that tells how a verdict ended, None for a pass."""
    if verdict.outcome == "pass":
        return None
    return _KINDS[verdict.outcome] if verdict.blocking else "skipped"


def _test_case(suite: ET.Element, verdict: MetricVerdict, kind: str | None) -> None:
    case = ET.SubElement(
        suite, "testcase", {"classname": plain(verdict.pair), "name": title(verdict), "time": "0"}
    )
    if kind is None:
        ET.SubElement(case, "system-out").text = reason(verdict)
        return
    message = f"{verdict.outcome.upper()}: {reason(verdict)}"
    told = ET.SubElement(case, kind, {"message": message})
    if kind != "skipped":
        told.set("type", verdict.outcome)
    told.text = message
