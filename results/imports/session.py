"""A reading to a session of kind import: one plan and one run per entry.

Everything here is a function of the file and of the names that were given, and of nothing else:
two people who import the same file hold the same session.
"""

from __future__ import annotations

import collections
import math
import time
from collections.abc import Sequence
from importlib.metadata import version
from urllib.parse import quote

import msgspec

from harness.errors import UsageError
from harness.types import END_OF_CALENDAR_S, Artifact, Case, Json, Model, Run, SessionPlan, digest
from results.imports.reading import Entry, Reading
from results.imports.source import Source

UNKNOWN = "unknown"
_LONGEST_NAME = 120
# Of a folder device=<name>, where each byte of a letter that is not ASCII takes three.
_LONGEST_FOLDER = 240
_MACHINE = (
    *("arch", "cpu_model", "cpu_count", "ram_bytes", "os", "kernel", "python", "governors"),
    "hypervisor",
)


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What the user calls a case; None is what the file calls it."""

    device: str | None = None
    model: str | None = None
    variant: str | None = None
    backend: str | None = None


def plan_of(source: Source, word: str, reading: Reading, names: Names) -> SessionPlan:
    """Return the plan of the session that a file of the format `word` becomes."""
    cases = [case for case, _ in _cases(reading, names)]
    created_s = _created_s(source, reading)
    plan = SessionPlan(
        session_id="",
        created_unix_s=created_s,
        command=_command(source, word, names),
        suite=word,
        device=_device(reading, names),
        seed=0,
        blocks=max(collections.Counter(case.key for case in cases).values()),
        cases=tuple({case.key: case for case in cases}.values()),
        skipped=(),
        order=_order(cases),
        sampling={},
        models=tuple(
            Model(
                name=name,
                origin="user",
                digest=UNKNOWN,
                inputs=(),
                description=f"as {reading.tool} measured it",
            )
            for name in dict.fromkeys(case.model for case in cases)
        ),
        environment=_environment(reading),
        harness_version=version("boardmark"),
        kind="import",
        design={
            "import": {
                "format": word,
                "tool": reading.tool,
                "file": source.path.name,
                "sha256": reading.sha256,
                "names": msgspec.to_builtins(names),
                "documents": reading.documents,
            }
        },
    )
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(created_s))
    return msgspec.structs.replace(plan, session_id=f"{stamp}-{tail(reading)}{digest(plan)[:4]}")


def tail(reading: Reading) -> str:
    """Return what the ids of all sessions of one document share: 12 digits of its SHA-256.

    Four more tell apart the same document under other names, so that two labs which named it
    differently can still merge their stores.
    """
    return reading.sha256[:12]


def runs_of(plan: SessionPlan, reading: Reading, names: Names) -> tuple[Run, ...]:
    """Return one run per entry, in the order of the file; the same case again is another block."""
    seen: collections.Counter[str] = collections.Counter()
    runs = []
    for seq, (case, entry) in enumerate(_cases(reading, names)):
        block = seen[case.key]
        seen[case.key] += 1
        runs.append(
            Run(
                run_id=digest([plan.session_id, case.key, block]),
                session_id=plan.session_id,
                seq=seq,
                block=block,
                case_key=case.key,
                status="ok",
                reason=None,
                started_unix_s=entry.started_unix_s or plan.created_unix_s,
                duration_s=entry.duration_s,
                samples_ns=entry.samples_ns,
                result=_result(reading, entry, case),
            )
        )
    return tuple(runs)


def _cases(reading: Reading, names: Names) -> list[tuple[Case, Entry]]:
    """Return the case of each entry; where its options alone tell it apart, so does its name."""
    found = [(_case(entry, reading, names), entry) for entry in reading.entries]
    alike: dict[tuple[str, ...], list[Case]] = collections.defaultdict(list)
    for case, _ in found:
        alike[_name(case)].append(case)
    return [(_told_apart(case, alike[_name(case)]), entry) for case, entry in found]


def _name(case: Case) -> tuple[str, ...]:
    """Return what a reader sees of a case."""
    return case.model, case.variant, case.backend, case.scenario, str(case.batch)


def _told_apart(case: Case, alike: Sequence[Case]) -> Case:
    """Return `case` with the options in its variant that differ among cases named alike."""
    told = [{**one.options, "threads": one.threads} for one in alike]
    mine = {**case.options, "threads": case.threads}
    differing = [
        name
        for name in dict.fromkeys(name for one in told for name in one)
        if any(one.get(name) != mine.get(name) for one in told)
    ]
    if not differing:
        return case
    words = [f"{name}={mine.get(name)}" for name in differing]
    return msgspec.structs.replace(case, variant=" ".join([case.variant, *words]))


def _case(entry: Entry, reading: Reading, names: Names) -> Case:
    """Return the case of one entry."""
    model, variant, backend = (
        _short(reading, what, given or told or UNKNOWN)
        for what, given, told in (
            ("model", names.model, entry.model),
            ("variant", names.variant, entry.variant),
            ("backend", names.backend, entry.backend),
        )
    )
    return Case(
        device=_device(reading, names),
        model=model,
        model_digest=UNKNOWN,
        variant=variant,
        backend=backend,
        runtime_version=entry.runtime_version or UNKNOWN,
        interpreter="",
        scenario=entry.scenario,
        batch=entry.batch or 1,
        threads=entry.threads,
        affinity=None,
        inputs=(),
        artifact=Artifact(path="", format=UNKNOWN, sha256=UNKNOWN, size_bytes=None),
        options=entry.options,
    )


def _device(reading: Reading, names: Names) -> str:
    return _short(reading, "device", names.device or reading.device or UNKNOWN)


def _short(reading: Reading, what: str, name: str) -> str:
    """Return a name that can stand in a table and, a device's, in a path."""
    if len(name) <= _LONGEST_NAME and len(quote(name, safe="")) <= _LONGEST_FOLDER:
        return name
    raise UsageError(
        f"cannot import the file of {reading.tool}: its {what} has a name of {len(name)} letters",
        f"give a shorter one with --{what}",
    )


def _result(reading: Reading, entry: Entry, case: Case) -> Json:
    """Return what an agent would have reported beside the samples, as far as it is known."""
    result = {name: value for name, value in entry.result.items() if value is not None}
    unknown = [
        what
        for what, value in (
            ("model", case.model),
            ("variant", case.variant),
            ("backend", case.backend),
            ("runtime version", case.runtime_version),
            ("threads", case.threads or UNKNOWN),
            ("file size", UNKNOWN),
        )
        if value == UNKNOWN
    ]
    notes = [*entry.notes, f"the file of {reading.tool} does not tell: {', '.join(unknown)}"]
    if entry.batch is None:
        notes.append("it does not tell the batch either: a call counts as one sample")
    power = {"reason": f"no power is taken from a file of {reading.tool}"}
    told = {"tool": reading.tool, **entry.reported, "notes": notes}
    return {"power": power, **result, "reported": told}


def _environment(reading: Reading) -> Json:
    """Return what the file tells of the machine, and that it does not tell the rest."""
    known = {name: value for name, value in reading.environment.items() if value is not None}
    reason = f"the file of {reading.tool} does not tell"
    return {**known, "unknown": {name: reason for name in _MACHINE if name not in known}}


def _order(cases: Sequence[Case]) -> tuple[tuple[str, ...], ...]:
    """Return the keys of each block: a case for the n-th time stands in the n-th."""
    blocks: list[list[str]] = []
    seen: collections.Counter[str] = collections.Counter()
    for case in cases:
        if seen[case.key] == len(blocks):
            blocks.append([])
        blocks[seen[case.key]].append(case.key)
        seen[case.key] += 1
    return tuple(tuple(block) for block in blocks)


def _created_s(source: Source, reading: Reading) -> float:
    """Return when it was measured, as the file says, else when the file was written."""
    told = reading.created_unix_s
    found = source.modified_unix_s if told is None else told
    if not 0 <= found < END_OF_CALENDAR_S:
        whose = "it was last changed" if told is None else "it says that it was made"
        raise source.refused(f"{whose} outside of the years 1970 to 9999")
    # a copy may have lost the digits below a second
    return float(math.floor(found)) if told is None else found


def _command(source: Source, word: str, names: Names) -> tuple[str, ...]:
    """Return the command line that would make this session again."""
    given = msgspec.to_builtins(names)
    options = [(f"--{name}", value) for name, value in given.items() if value is not None]
    words = (part for option in options for part in option)
    return ("boardmark", "import", source.path.name, "--format", word, *words)
