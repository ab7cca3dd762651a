"""A prepared plan as a session under limits: what is asked of which board, alone and together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec

from devices.schema import Device
from harness.fit.budget import Budget
from harness.fit.session import Subject
from harness.types import Artifact, Case, Json, SessionPlan, digest


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """What this host can give: so many bytes at the most, these cores, by which groups."""

    most_bytes: int
    cores: tuple[int, ...]
    version: int


def subjects(cases: Sequence[Case], board: str) -> tuple[Subject, ...]:
    """Return each case alone, then all models of one level and runtime at once, if several."""
    alone = [_subject((case,), board) for case in cases]

    def of_level(case: Case) -> tuple[str, str, int]:
        return case.variant, case.backend, case.batch

    ordered = sorted(cases, key=of_level)
    sets = [tuple(group) for _, group in groupby(ordered, of_level)]
    return (*alone, *(_subject(members, board) for members in sets if len(members) > 1))


def _subject(members: tuple[Case, ...], board: str) -> Subject:
    """Return what runs at once, kept under one case: its key is that of no timed case."""
    first, names = members[0], [case.model for case in members]
    options = {**first.options, "board": board, "models": names}
    kept = msgspec.structs.replace(first, side="fit", options=options)
    if len(members) > 1:
        sizes = [case.artifact.size_bytes for case in members]
        kept = msgspec.structs.replace(
            kept,
            model=" + ".join(names),
            model_digest=digest([case.model_digest for case in members]),
            inputs=tuple(spec for case in members for spec in case.inputs),
            artifact=Artifact(
                path=first.artifact.path,
                format=first.artifact.format,
                sha256=digest([case.artifact.sha256 for case in members]),
                size_bytes=sum(size for size in sizes if size is not None),
            ),
        )
    return Subject(case=kept, members=members)


def plan(
    made: SessionPlan, asked: Sequence[Subject], design: Json, command: tuple[str, ...]
) -> SessionPlan:
    """Return a session's plan as that of one under limits: trials instead of blocks, no anchors."""
    return msgspec.structs.replace(
        made,
        kind="fit",
        suite="capacity",
        command=command,
        blocks=0,
        cases=tuple(subject.case for subject in asked),
        order=(),
        anchors=(),
        design=design,
        sampling={"precision": None, "goal": None, "budget_s": None, "planned_s": None},
    )


def design(budget: Budget, device: Device, host: Host, together: int) -> Json:
    """Return what the session remembers: the board's budget, the host's, what was documented."""
    documented = [
        one.value
        for one in device.documented
        if one.table == "N2" and one.quantity == "max concurrency"
    ]
    return {
        **msgspec.to_builtins(budget),
        "host_cores": len(host.cores),
        "most_bytes": host.most_bytes,
        "control_groups": host.version,
        "together": together,
        "concurrency": int(documented[0]) if documented else None,
    }
