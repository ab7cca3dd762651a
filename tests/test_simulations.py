"""The simulations of `make simulate` at a reduced size, with the tolerance that goes with it."""

from __future__ import annotations

import numpy as np
import pytest
from proof import calibrated, candidates, coverage, gate_sessions, simulate
from proof.noise_models import MODELS, autoregressive, skewed, throttled
from scipy import stats

from harness.stats.decision import decide

_SURELY = 1e-4
# Their processes differ by 5 % and more: 20 blocks do not find 5 % in 95 of 100 sessions.
_TOO_NOISY = {"normal, sd 3 %", "normal, sd 5 %", "log-normal delays, median 3 %"}


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def at_most(share: float, limit: float, n: int) -> bool:
    """Tell whether n tries with this share of hits may come from a rate of at most `limit`."""
    return bool(stats.binom.sf(round(share * n) - 1, n, limit) > _SURELY)


def at_least(share: float, limit: float, n: int) -> bool:
    return at_most(1 - share, 1 - limit, n)


@pytest.mark.parametrize("name", MODELS)
def test_equal_sides_are_seldom_called_regressed(name):
    false = gate_sessions.rates(MODELS[name], rng(), 1200, 0.0, margin=0.0)["regressed"]
    assert at_most(false, 0.015, 1200)


@pytest.mark.parametrize("name", MODELS)
def test_a_slower_candidate_is_found(name):
    five = gate_sessions.rates(MODELS[name], rng(), 250, 0.05)
    assert five["at the first look"] <= five["regressed"]
    assert name in _TOO_NOISY or at_least(five["regressed"], 0.95, 250)
    assert at_least(gate_sessions.rates(MODELS[name], rng(), 250, 0.2)["regressed"], 0.999, 250)


@pytest.mark.parametrize("name", ["normal, sd 1 %", "contamination 5 %, sd 2 %"])
def test_a_candidate_at_the_margin_seldom_passes(name):
    passing = gate_sessions.rates(MODELS[name], rng(), 1500, gate_sessions.MARGIN)["pass"]
    assert at_most(passing, 0.015, 1500)


def test_a_calibrated_family_alarms_at_its_rate_and_still_finds_five_per_cent():
    model = MODELS["drift, AR(0.6), throttling, sd 2 %"]
    found = calibrated.family_rates(model, rng(), pairs=8, sessions=1000, calibrations=60)
    # Sixty draws of 99 from one thousand: the mean rate is known to half a per cent.
    assert found["calibrated: false"] <= 0.02
    assert found["calibrated: +5 %"] >= 0.85
    assert at_most(found["uncalibrated: false"], 0.015, 1000)


@pytest.mark.parametrize("name", MODELS)
def test_intervals_hold_the_truth_as_often_as_they_say(name):
    n = 500
    shares = coverage.of_ratios(MODELS[name], rng(), n)
    shares["across_runs"] = coverage.of_runs(MODELS[name], rng(), n, runs=10, cases=8)
    for interval, share in shares.items():
        assert at_least(share, 0.93, n), interval
        assert at_most(share, 0.97, n), interval


@pytest.mark.parametrize(
    ("processes", "kind"),
    [("normal, sd 2 %", "AR(0.6), 5 %"), ("contamination 5 %, sd 2 %", "log-normal delays")],
)
def test_the_interval_of_p99_holds_and_a_bootstrap_of_runs_would_not(processes, kind):
    n = 250
    ours, pooled = coverage.of_tail(processes, kind, rng(), n, (10, 200))
    assert at_least(ours, 0.93, n)
    assert pooled < 0.9


@pytest.mark.parametrize("kind", coverage.CALLS)
def test_the_interval_of_one_run_holds_although_its_calls_are_alike(kind):
    assert at_least(coverage.of_one_run(kind, rng(), 500, 200), 0.925, 500)


def test_the_chosen_statistic_is_the_one_that_decides():
    ratios = gate_sessions.log_ratios(MODELS["normal, sd 3 %"], rng(), 50)[:, 0]
    for blocks in (10, 20):
        p = candidates.CANDIDATES["trimmed 15 % (chosen)"](ratios[:, :blocks])
        ours = [decide(one[:blocks].tolist(), 0.03, 0.005).p_worse for one in ratios]
        assert p == pytest.approx(ours, rel=1e-6)


def test_the_candidates_are_those_of_scipy():
    ratios = gate_sessions.log_ratios(MODELS["normal, sd 3 %"], rng(), 20)[:, 0, :10]
    theirs = {
        "Student's t": stats.ttest_1samp(ratios, 0, axis=1, alternative="greater").pvalue,
        "signed ranks": [stats.wilcoxon(one, alternative="greater").pvalue for one in ratios],
        "signs": [
            stats.binomtest(int((one > 0).sum()), 10, alternative="greater").pvalue
            for one in ratios
        ],
    }
    for name, p in theirs.items():
        assert candidates.CANDIDATES[name](ratios) == pytest.approx(p)


def test_noise_is_what_its_name_says():
    slow = throttled(0.1, 4, 0.1, 0.3)(rng(), 4000, 40)
    assert (slow > 0).mean() == pytest.approx(0.1, abs=0.01)
    assert 0.09 < slow[slow > 0].min() < slow.max() < np.log(1.3)
    ends = (slow[:, :-1] > 0) & (slow[:, 1:] == 0)
    assert ends.sum() / (slow[:, :-1] > 0).sum() == pytest.approx(0.25, abs=0.02)
    alike = autoregressive(0.03, 0.6)(rng(), 4000, 40)
    assert alike.std() == pytest.approx(0.03, rel=0.02)
    neighbours = np.corrcoef(alike[:, :-1].ravel(), alike[:, 1:].ravel())[0, 1]
    assert neighbours == pytest.approx(0.6, abs=0.02)
    assert np.median(skewed(0.03)(rng(), 4000, 40)) == pytest.approx(np.log(1.03), rel=0.02)


def test_every_block_holds_both_sides_once_and_twins_mirror_each_other():
    where = gate_sessions.positions(3, seed=5)
    assert where.shape == (3, 20, 2)
    assert sorted(where.ravel().tolist()) == list(range(120))
    signs = np.sign(where[:, :, 1] - where[:, :, 0])
    assert (signs[:, 0::2] == -signs[:, 1::2]).all()


def test_the_second_look_counts_only_where_the_first_is_open():
    passed = gate_sessions.Played(first=1.0, first_passes=True, second=1e-9, second_passes=False)
    assert (passed.alarms(0.01), passed.passes(0.01), passed.smallest) == (False, True, 1e-9)
    still_open = passed._replace(first=0.3, first_passes=False)
    assert (still_open.alarms(0.01), still_open.passes(0.01)) == (True, False)


def test_the_tables_show_misses_and_replace_the_old_ones():
    tiny = simulate.Size(null=20, slowed=20, family=120, calibrations=2, intervals=20, tails=3)
    # The tails' own truth takes seconds, whatever the size.
    chosen = {task.table: task for task in simulate.TASKS if task.compute is not simulate.tail}
    content = simulate.rendered(list(chosen.values()), tiny, processes=1)
    for task in chosen.values():
        assert f"### {task.table}" in content
        assert f"| {task.row} | " in content
    assert "over 20 equal sessions" in content
    old = f"before\n{simulate.BEGIN}\nold\n{simulate.END}\nafter"
    fresh = simulate.inserted(old, content)
    assert fresh.startswith("before\n") and fresh.endswith("\nafter")
    assert "\nold\n" not in fresh
    assert simulate.inserted(fresh, "old") == old
    assert simulate.percent(0.02, met=False, digits=2) == "**2.00**"


def test_the_documented_tables_hold_every_row():
    text = simulate.DOCUMENT.read_text()
    between = text.partition(simulate.BEGIN)[2].partition(simulate.END)[0]
    for task in simulate.TASKS:
        table = between.partition(f"### {task.table}\n")[2].partition("\n### ")[0]
        assert f"\n| {task.row} | " in table, f"{task.table}: run make simulate"
