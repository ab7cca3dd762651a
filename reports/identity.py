"""What was measured on and how: facts about the machine, the runtimes and the session."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Callable

from harness.types import Json, Kind
from harness.units import show
from reports.figures import DASH
from reports.session import SessionView
from results import measured

Facts = tuple[tuple[str, str], ...]


def machine(view: SessionView) -> Facts:
    """Return the machine's facts as (name, value); unknown ones carry their reason."""
    env = view.plan.environment
    cores = measured.whole(env, "cpu_count")
    facts = [
        ("Device", view.plan.device),
        ("Board", _board(env)),
        ("Processor", measured.text(env, "cpu_model")),
        ("Cores", _cores(env, cores)),
        ("Architecture", measured.text(env, "arch")),
        ("Instructions", ", ".join(_words(env.get("isa"))) or None),
        ("Memory", _bytes(env, "ram_bytes")),
        ("Swap", _swap(env)),
        ("System", measured.text(env, "os")),
        ("Kernel", measured.text(env, "kernel")),
        ("Governor", ", ".join(dict.fromkeys(_words(env.get("governors")))) or None),
        ("Virtual machine", _yes_no(env.get("hypervisor"))),
        ("Load before", measured.text(env, "load_1m")),
        ("Power sensor", _power(env)),
    ]
    keys = {"Governor": "governors", "Processor": "cpu_model", "Virtual machine": "hypervisor"}
    return tuple((name, value or _unknown(env, keys.get(name, ""))) for name, value in facts)


def session(view: SessionView) -> Facts:
    """Return the session's facts as (name, value)."""
    plan = view.plan
    began = datetime.datetime.fromtimestamp(plan.created_unix_s, datetime.timezone.utc)
    good = [row for row in view.rows if row.samples]
    samples = sorted(row.samples for row in good)
    versions = dict.fromkeys(
        f"{row.backend} {row.runtime_version}" for row in view.rows if row.runtime_version
    )
    verdicts = [row.verdict for row in view.rows]
    counts = ", ".join(f"{verdicts.count(word)} {word}" for word in dict.fromkeys(verdicts))
    return (
        ("Session", plan.session_id),
        ("Started", f"{began:%Y-%m-%d %H:%M} UTC"),
        *([("Kind", plan.kind)] if plan.kind != "run" else []),
        ("Suite", plan.suite),
        ("Cases", counts or DASH),
        *_KINDS.get(plan.kind, _order)(view),
        ("Samples per case", f"{samples[0]} to {samples[-1]}" if samples else DASH),
        ("Runtimes", ", ".join(versions) or DASH),
        ("Threads", ", ".join(_threads(view)) or DASH),
        ("Boardmark", plan.harness_version),
    )


def _order(view: SessionView) -> Facts:
    """Return how often and in which order the cases ran."""
    blocks = f"{view.plan.blocks}, each with one run of every case, in rotated random order"
    return (
        ("Runs", f"{len(view.runs)}, a fresh process each"),
        ("Blocks", blocks),
        ("Seed", str(view.plan.seed)),
    )


def _origin(view: SessionView) -> Facts:
    """Return where an imported session comes from."""
    told = measured.section(view.plan.design, "import")
    return (
        ("Measured by", measured.text(told, "tool") or DASH),
        ("Imported from", measured.text(told, "file") or DASH),
        ("Runs", str(len(view.runs))),
    )


def _trials(view: SessionView) -> Facts:
    """Return how often something was tried under a limit."""
    return (("Trials", f"{len(view.runs)}, fresh processes each"), ("Seed", str(view.plan.seed)))


_KINDS: dict[Kind, Callable[[SessionView], Facts]] = {"import": _origin, "fit": _trials}


def command(view: SessionView) -> str:
    """Return the command line that made the session, as a shell would read it."""
    words = view.plan.command
    return shlex.join(words if words[:1] == ("boardmark",) else ("boardmark", *words))


def _threads(view: SessionView) -> list[str]:
    """Return the thread counts that were asked for, and where a runtime says otherwise."""
    asked = dict.fromkeys(str(row.threads) for row in view.rows if row.threads)
    other = dict.fromkeys(
        f"{row.evidence['threads']} as {row.backend} reports"
        for row in view.rows
        if row.evidence.get("threads") and row.evidence["threads"] != row.threads
    )
    return [*(f"{count} asked for" for count in asked), *other]


def _board(env: Json) -> str | None:
    """Return the board's name from the device tree, or the vendor and product of a PC."""
    tree = measured.text(env, "board", "dt_model")
    names = [measured.text(env, "board", key) for key in ("dmi_vendor", "dmi_product")]
    return tree or " ".join(name for name in names if name) or None


def _cores(env: Json, count: int | None) -> str | None:
    """Return the number of cores, by cluster where there are several."""
    clusters = env.get("clusters")
    found = [
        f"{len(cluster.get('ids') or ())} × {cluster.get('core')}"
        for cluster in (clusters if isinstance(clusters, list) else ())
        if isinstance(cluster, dict)
    ]
    if len(found) > 1:
        return f"{count}: {', '.join(found)}"
    return None if count is None else str(count)


def _swap(env: Json) -> str | None:
    """Return the size of the swap space; zero is a fact and is called none."""
    size = measured.whole(env, "swap_bytes")
    return "none" if size == 0 else show(size, "bytes") if size else None


def _power(env: Json) -> str | None:
    """Return the sensor that would be read, or why there is none."""
    source = measured.text(env, "power", "source", "name")
    reasons = measured.section(env, "power").get("reasons")
    if source:
        return source
    return f"none: {'; '.join(_words(reasons))}" if _words(reasons) else None


def _bytes(env: Json, key: str) -> str | None:
    """Return a size for people, or None where it is unknown."""
    size = measured.whole(env, key)
    return None if size is None else show(size, "bytes")


def _yes_no(value: object) -> str | None:
    """Return yes or no; anything else is unknown."""
    return {True: "yes", False: "no"}.get(value) if isinstance(value, bool) else None


def _unknown(env: Json, key: str) -> str:
    """Return that a fact is unknown, and why where the board said so."""
    reason = measured.text(env, "unknown", key)
    return f"unknown: {reason}" if reason else "unknown"


def _words(value: object) -> list[str]:
    """Return the entries of a list of words; anything else has none."""
    return [str(word) for word in value] if isinstance(value, list | tuple) else []
