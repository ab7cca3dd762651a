"""The page: one self-contained HTML file; it loads nothing, runs nothing, escapes everything."""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
from pathlib import Path
from typing import Any

import msgspec
from markupsafe import Markup

from harness.errors import UsageError
from harness.whole_file import write_whole
from reports import capacity, disturbances, emulation, identity, soak, soak_charts, svg
from reports.answer import answers
from reports.cases import cases, doubtful
from reports.charts import distributions
from reports.drift import Drift, drift, picture, sentences
from reports.evidence import evidence
from reports.figures import plain
from reports.findings import findings
from reports.grid import Grid
from reports.memory import phases
from reports.scores import scores
from reports.session import SessionView
from reports.tables import tables
from reports.tradeoff import tradeoff

TEMPLATES = Path(__file__).parent / "templates"
_LONGEST_COMMAND = 4000
_QUESTION = "Which variant of this model, on which runtime, is the one to ship on this device?"
_QUESTION_OF_SIDES = "How does the candidate compare with its base on this device?"


class DriftPart(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows of the anchors."""

    picture: svg.Picture
    sentences: tuple[str, ...]
    paired: bool


class NoisePart(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows of the disturbances."""

    banner: str | None
    sentences: tuple[str, ...]
    tables: tuple[Grid, ...]


class ModelPart(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows of one model."""

    name: str
    about: str
    levels: tuple[Grid, ...]
    cases: Grid
    phases: tuple[Grid, ...]
    evidence: Grid
    scores: tuple[Grid, ...]
    findings: tuple[Grid, ...]
    distributions: tuple[svg.Picture, ...]
    tradeoff: tuple[svg.Picture, ...]
    soaks: tuple[Grid, ...]
    soak_pictures: tuple[svg.Picture, ...]


def render(view: SessionView, out: Path) -> Path:
    """Write the page of one session to the file `out` and return it; its folder is made if missing.

    The file is complete or not there. Raises UsageError where it cannot be written.
    """
    text = page(view)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, text.encode())
    except OSError as error:
        reason = f"cannot write the report to '{out}': {error.strerror}"
        raise UsageError(reason, "choose another place") from error
    return out


def page(view: SessionView) -> str:
    """Return the page of one session as text."""
    if view.plan.kind == "emulation":
        return _emulated(view)
    if view.plan.kind == "fit":
        return _fitted(view)
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    suite = view.suite()
    models = tuple(_model(view, name) for name in view.models())
    offline = tuple(grid for name in view.models() for grid in tables(view, name, "offline"))
    began = datetime.datetime.fromtimestamp(view.plan.created_unix_s, datetime.timezone.utc)
    text: str = _template().render(
        policy=_policy(style),
        style=Markup(style),  # noqa: S704  our own file
        title=suite.title if suite else view.plan.suite,
        question=_question(view),
        device=view.plan.device,
        started=f"{began:%Y-%m-%d %H:%M} UTC",
        version=view.plan.harness_version,
        session_id=view.plan.session_id,
        command=_Long(identity.command(view)),
        answers=answers(view),
        models=models,
        offline=offline,
        of_sides=view.plan.two_sided,
        compared=not view.plan.two_sided and not soak.only_soaks(view),
        soaked=any(model.soaks for model in models),
        drift=_drift(view, drift(view)),
        noise=_noise(view),
        machine=identity.machine(view),
        session=identity.session(view),
        doubtful=doubtful(view.rows),
        problems=view.problems,
    )
    return text


def _emulated(view: SessionView) -> str:
    """Return the page of an emulated session: nothing of it is about time."""
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    began = datetime.datetime.fromtimestamp(view.plan.created_unix_s, datetime.timezone.utc)
    suite = view.suite()
    text: str = _template("emulation.html.j2").render(
        policy=_policy(style),
        style=Markup(style),  # noqa: S704  our own file
        title=suite.title if suite else view.plan.suite,
        question=emulation.QUESTION,
        device=view.plan.device,
        started=f"{began:%Y-%m-%d %H:%M} UTC",
        version=view.plan.harness_version,
        session_id=view.plan.session_id,
        command=_Long(identity.command(view)),
        warning=emulation.warning(view),
        sentences=emulation.sentences(view),
        tables=emulation.tables(view),
        scores=tuple(grid for name in view.models() for grid in scores(view, name)),
        evidence=tuple(evidence(view, name) for name in view.models()),
        machine=identity.machine(view),
        session=identity.session(view),
        problems=view.problems,
    )
    return text


def _fitted(view: SessionView) -> str:
    """Return the page of a session under limits: nothing of it is about time."""
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    began = datetime.datetime.fromtimestamp(view.plan.created_unix_s, datetime.timezone.utc)
    text: str = _template("capacity.html.j2").render(
        policy=_policy(style),
        style=Markup(style),  # noqa: S704  our own file
        question=capacity.question(view),
        device=view.plan.device,
        started=f"{began:%Y-%m-%d %H:%M} UTC",
        version=view.plan.harness_version,
        session_id=view.plan.session_id,
        command=_Long(identity.command(view)),
        warning=capacity.warning(view),
        sentences=capacity.sentences(view),
        tables=capacity.tables(view),
        findings=capacity.findings(view),
        machine=identity.machine(view),
        session=identity.session(view),
        problems=view.problems,
    )
    return text


def _drift(view: SessionView, found: Drift | None) -> DriftPart | None:
    """Return the anchors' picture and what it says; None where a session has no anchor."""
    if found is None:
        return None
    return DriftPart(
        picture=picture(view, found),
        sentences=sentences(found),
        paired=len(found.anchors) > 1,
    )


def _noise(view: SessionView) -> NoisePart:
    """Return the disturbances: their warning, what they mean, their table."""
    found = disturbances.disturbances(view)
    return NoisePart(
        banner=disturbances.banner(found),
        sentences=disturbances.sentences(found),
        tables=disturbances.grid(found),
    )


def _question(view: SessionView) -> str:
    """Return what the session was to answer."""
    if view.plan.two_sided:
        return _QUESTION_OF_SIDES
    suite = view.suite()
    return suite.question if suite else _QUESTION


class _Long(str):
    """A text that may be longer than a name or a reason: the command line."""

    __slots__ = ()


def _model(view: SessionView, name: str) -> ModelPart:
    """Return everything that the page shows of one model."""
    known = next((model for model in view.plan.models if model.name == name), None)
    words = [f"{known.origin} weights", known.description] if known else []
    return ModelPart(
        name=name,
        about=", ".join(word for word in words if word),
        levels=tables(view, name, "single-stream"),
        cases=cases(view, name),
        phases=phases(view, name),
        evidence=evidence(view, name),
        scores=scores(view, name),
        findings=findings(view, name),
        distributions=distributions(view, name),
        tradeoff=tradeoff(view, name) if not view.plan.two_sided else (),
        soaks=soak.grid(view, name),
        soak_pictures=soak_charts.pictures(view, name),
    )


def _policy(style: str) -> str:
    """Return the content policy: only our style sheet applies, nothing loads, no script runs."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


@functools.cache
def _template(name: str = "report.html.j2") -> Any:
    """Return a page's template; whatever it shows is cleaned, then escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )
    return environment.get_template(name)


def _shown(value: object) -> object:
    """Return what the template may show: markup as it is, text without invisible characters."""
    if isinstance(value, Markup):
        return value
    text = plain(value, _LONGEST_COMMAND if isinstance(value, _Long) else 600)
    return text.replace(" %", "\u00a0%")
