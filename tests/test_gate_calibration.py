"""A/A sessions of a store: which of them speak for a gate, and what they say."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import gate_session
import pytest

from harness.commands import calibrate
from harness.gate import calibration, null_cache
from harness.gate.calibration import alarm, null_minima
from harness.gate.judge import judge
from harness.gate.policy import Policy
from harness.types import SessionPlan
from results.store import Store

POLICY = Policy()
GATE = gate_session.plan(blocks=5)
NOISE = 0.03


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    # Nothing here is about power cuts, and waiting for the disk is most of what sealing takes.
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(f"os.{name}", lambda descriptor: None)
    return Store.create(tmp_path / "store")


def session(number: int, **changes: Any) -> SessionPlan:
    name = f"20261120T{number:06}Z-3f2a"
    return gate_session.plan(session_id=name, **{"blocks": 5, "kind": "calibration", **changes})


def keep(store: Store, plan: SessionPlan, seal: bool = True, **how: Any) -> list[Any]:
    runs = gate_session.runs(plan, **{"blocks": 10, "noise": NOISE, **how})
    runs = [gate_session.replace(run, session_id=plan.session_id) for run in runs]
    journal = store.start(plan)
    for run in runs:
        journal.append(run)
    journal.close()
    if seal:
        store.seal(plan.session_id)
    return runs


def test_the_minima_are_those_of_the_judge_the_newest_first(store):
    expected = []
    for number in range(4):
        plan = session(number)
        runs = keep(store, plan, seed=number)
        expected.append(judge(plan, runs, POLICY, ()).smallest_p)
    assert len(set(expected)) == 4
    assert None not in expected
    assert null_minima(store, GATE, POLICY) == tuple(reversed(expected))


def test_both_looks_count(store):
    plan = session(1)
    runs = keep(store, plan, seed=5, noise=0.1, blocks=10)
    first = judge(plan, [run for run in runs if run.block < 5], POLICY, ()).smallest_p
    second = judge(session(1, blocks=10), runs, POLICY, ()).smallest_p
    assert first != second
    assert null_minima(store, GATE, POLICY) == (min(first, second),)


OTHER_DESIGNS: list[dict[str, Any]] = [
    {"kind": "gate"},
    {"kind": "self-test"},
    {"device": "other"},
    {"design": {"blocks": 4}},
    {"environment": {"kernel": "6.2", "cpu": "made up"}},
    {"environment": {"kernel": "6.1", "cpu_model": "another"}},
    {"pairs": [gate_session.pair(), gate_session.pair(backend="other")]},
    {"pairs": [gate_session.pair(threads=1)]},
    {"pairs": [gate_session.pair(backend="other")]},
    {"pairs": [gate_session.pair(scenario="offline")]},
    {"pairs": [gate_session.pair(batch=2)]},
    {"pairs": [gate_session.pair(affinity=(0,))]},
    {"pairs": [gate_session.pair(runtime_version="2.0")]},
    {"sampling": {"run": {"budget_s": 9.0}}},
]


def test_a_session_of_another_design_does_not_count(store):
    for number, changes in enumerate(OTHER_DESIGNS):
        keep(store, session(number, **changes))
    assert null_minima(store, GATE, POLICY) == ()
    keep(store, session(99))
    assert len(null_minima(store, GATE, POLICY)) == 1


def test_a_session_that_is_not_whole_does_not_count(store):
    keep(store, session(1), blocks=8)
    keep(store, session(2), seal=False)
    keep(store, session(3), extra={"peak_rss_bytes": None})
    keep(store, session(4))
    _break(store, "runs", session(4))
    keep(store, session(5))
    _break(store, "sessions", session(5))
    assert null_minima(store, GATE, POLICY) == ()


def _break(store, table, plan):
    (part,) = (store.root / "parts" / table).rglob(f"{plan.session_id}-*")
    part.write_bytes(b"broken")


def test_another_policy_is_applied_to_the_same_sessions(store):
    keep(store, session(1), slower=1.01, noise=0.002)
    assert null_minima(store, GATE, POLICY) == (1.0,)
    strict = Policy(margins={"latency_p50": 0.001})
    (smallest,) = null_minima(store, GATE, strict)
    assert smallest < 0.01
    assert null_minima(store, GATE, POLICY) == (1.0,)


def test_only_the_newest_count(store, monkeypatch):
    monkeypatch.setattr(calibration, "NEWEST", 2)
    expected = []
    for number in range(3):
        plan = session(number)
        expected.append(judge(plan, keep(store, plan, seed=number), POLICY, ()).smallest_p)
    assert null_minima(store, GATE, POLICY) == (expected[2], expected[1])


def test_a_store_without_sessions_has_none(store):
    assert null_minima(store, GATE, POLICY) == ()


def test_more_alarms_than_plausible_are_told():
    quiet = [0.5] * 100
    assert alarm(quiet, 0.01, 2) is None
    assert alarm((), 0.01, 2) is None
    assert alarm([0.0001] * 4 + quiet, 0.01, 2) is None
    told = alarm([0.0001] * 5 + quiet, 0.01, 2)
    assert told is not None
    assert told.startswith("5 of the last 100 A/A sessions differ although nothing did; at most 4")
    assert alarm([0.5] * 100 + [0.0001] * 50, 0.01, 2) is None, "older ones do not count"
    assert alarm([0.004] * 5 + quiet, 0.01, 2) is None, "not at alpha / looks / family"


def test_what_was_judged_once_is_kept(store, monkeypatch):
    for number in range(3):
        keep(store, session(number), seed=number)
    keep(store, session(7, kind="gate"))
    found = null_minima(store, GATE, POLICY)
    with monkeypatch.context() as patched:
        patched.setattr(calibration, "judge", None)
        patched.setattr(calibration, "load", None)
        assert null_minima(store, GATE, POLICY) == found
    keep(store, session(8), seed=8)
    assert null_minima(store, GATE, POLICY)[1:] == found


def test_what_was_kept_may_be_lost_at_any_time(store):
    keep(store, session(1))
    found = null_minima(store, GATE, POLICY)
    assert found
    path = store.root / null_cache.FILE
    for content in (b"", b"[]", b'{"designs": 3}', b"[" * 100_000, b"\xff"):
        path.write_bytes(content)
        assert null_minima(store, GATE, POLICY) == found
    path.write_bytes(path.read_bytes().replace(str(found[0]).encode(), b"7.0"))
    assert null_minima(store, GATE, POLICY) == found
    path.unlink()
    assert null_minima(store, GATE, POLICY) == found


def test_a_store_that_cannot_be_written_is_read_each_time(store, monkeypatch):
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(null_cache, "write_whole", full)
    keep(store, session(1))
    assert len(null_minima(store, GATE, POLICY)) == 1
    assert not (store.root / null_cache.FILE).exists()


def test_only_the_policies_used_last_are_kept(store):
    keep(store, session(1))
    for number in range(1, 21):
        null_minima(store, GATE, Policy(alpha=number / 200))
    kept = null_cache.read(store.root)
    assert len(kept.minima) == 16
    assert len(kept.designs) == 1


def test_an_a_a_session_is_held_against_those_before_it_only(monkeypatch):
    """One that had a part in the limit could never cross it: no false alarm would be seen."""
    order = []
    plan = gate_session.plan(kind="calibration")
    pairs = types.SimpleNamespace(plan=plan)
    monkeypatch.setattr(
        calibrate.contest, "drive", lambda *_: order.append("measured") or gate_session.runs(plan)
    )
    monkeypatch.setattr(
        calibrate.calibration, "null_minima", lambda *_: order.append("asked") or ()
    )
    calibrate._session(pairs, None, None, Policy())
    assert order == ["asked", "measured"]
