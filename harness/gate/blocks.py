"""Which runs count: pairs of the same block, free of disturbance."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.errors import UsageError
from harness.gate.incomparable import incomparable
from harness.types import Case, Run, SessionPlan
from results.clean import flags_by_run


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Base and candidate, and their good runs block by block in the order of time.

    `failed` holds the candidate's runs that failed in blocks without a disturbance, `base_failed`
    the base's; `scored` the candidate's good runs of all blocks, disturbed or not: what its outputs
    are worth does not hang on the noise.
    """

    base: Case
    candidate: Case
    runs: tuple[tuple[Run, Run], ...]
    failed: tuple[Run, ...]
    base_failed: tuple[Run, ...]
    scored: tuple[Run, ...]

    @property
    def label(self) -> str:
        """Name the pair for people: what both are, and the variants where they differ."""
        case = self.candidate
        variants = dict.fromkeys((self.base.variant, case.variant))
        models = dict.fromkeys((self.base.model, case.model))
        batch = f" b{case.batch}" if case.batch != 1 else ""
        names = f"{' → '.join(models)} {' → '.join(variants)}"
        return f"{names} {case.backend} {case.scenario}{batch}"


class Blocks(msgspec.Struct, frozen=True, kw_only=True):
    """The pairs of a session, the number of clean blocks, and what the others suffered from.

    `rejected` counts blocks by signal; a block with two counts under both, and once in `disturbed`.
    """

    pairs: tuple[Pair, ...]
    clean: int
    disturbed: int
    rejected: dict[str, int]


def sides(plan: SessionPlan) -> tuple[tuple[Case, Case], ...]:
    """Return (base, candidate) of each consecutive pair of `plan.cases`.

    Raises UsageError where the cases do not pair or a pair is not comparable.
    """
    words = [case.side for case in plan.cases]
    if words != ["base", "candidate"] * (len(words) // 2):
        raise UsageError(
            f"session {plan.session_id!r} does not pair a base with a candidate",
            "compare sessions of that kind with boardmark compare",
        )
    found = tuple(zip(plan.cases[::2], plan.cases[1::2], strict=True))
    for base, candidate in found:
        differing = incomparable(base, candidate)
        if differing:
            raise UsageError(
                f"{candidate.label!r} is incomparable with its base: {', '.join(differing)}",
                "measure both under the same conditions",
            )
    return found


def usable(plan: SessionPlan, runs: Iterable[Run], most: int) -> Blocks:
    """Sort the runs into pairs: one disturbed run rejects its block, a failed one only its pair.

    A pair keeps its first `most` blocks, so that no look is taken beyond the last one.
    """
    by_block = _by_block(runs)
    flags = flags_by_run(run for made in by_block.values() for run in made.values())
    signals = {
        block: frozenset(
            flag.signal
            for run in made.values()
            for flag in flags.get(run.run_id, ())
            if flag.severity == "invalid"
        )
        for block, made in by_block.items()
    }
    clean = [made for block, made in by_block.items() if not signals[block]]
    rejected = collections.Counter(name for found in signals.values() for name in found)
    return Blocks(
        pairs=tuple(
            _pair(base, candidate, clean, tuple(by_block.values()), most)
            for base, candidate in sides(plan)
        ),
        clean=len(clean),
        disturbed=len(by_block) - len(clean),
        rejected=dict(sorted(rejected.items())),
    )


def _by_block(runs: Iterable[Run]) -> dict[int, dict[str, Run]]:
    """Return {block: {case key: its last run}}, blocks in the order in which they were begun."""
    found: dict[int, dict[str, Run]] = {}
    for run in sorted(runs, key=lambda run: run.seq):
        found.setdefault(run.block, {})[run.case_key] = run
    return found


def _pair(
    base: Case,
    candidate: Case,
    clean: Sequence[Mapping[str, Run]],
    every: Sequence[Mapping[str, Run]],
    most: int,
) -> Pair:
    both = [(made.get(base.key), made.get(candidate.key)) for made in clean]
    good = [
        (ours, theirs)
        for ours, theirs in both
        if ours is not None and theirs is not None and ours.status == theirs.status == "ok"
    ]
    return Pair(
        base=base,
        candidate=candidate,
        runs=tuple(good[:most]),
        failed=tuple(run for _, run in both if run is not None and run.status != "ok"),
        base_failed=tuple(run for run, _ in both if run is not None and run.status != "ok"),
        scored=tuple(
            made[candidate.key]
            for made in every
            if candidate.key in made and made[candidate.key].status == "ok"
        ),
    )
