"""What a run's readings say of the machine: each signal at its limits, nothing out of nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import noise
from harness.stats.limits import LIMITS
from harness.stats.throttling import first_and_last_third

MS = 1_000_000


def quiet(**changes):
    """The readings of a run of 3 s on four cores during which nothing happened."""
    result = {
        "host": {
            "window_s": 5.0,
            "ticks": 2000,
            "steal_share": 0.0,
            "foreign_share": 0.001,
            "pressure_share": {"cpu": 0.01, "memory": 0.0, "io": 0.3},
            "swap_in_pages": 0,
            "swap_out_pages": 0,
            "frequency_hz": {"policy0": [1.5e9, 1.5e9]},
            "mean_frequency_hz": {"policy0": 1.2e9},
            "max_frequency_hz": {"policy0": 1.5e9},
            "limit_frequency_hz": {"policy0": [1.5e9, 1.5e9]},
            "temperature_c": {"cpu": [50.0, 56.0]},
            "throttle_events": {"throttled": 0},
            "quota_throttled_periods": 0,
            "cooling": {},
            "suspended_s": 3e-6,
            "clock_step_s": -2e-5,
            "sentinel_ns": [4_000_000, 4_010_000],
            "unknown": {},
        },
        "timed_host": {
            "window_s": 3.0,
            "ticks": 1200,
            "steal_share": 0.0,
            "pressure_share": {"cpu": 0.01, "memory": 0.0, "io": 0.0},
            "swap_in_pages": 0,
            "swap_out_pages": 0,
            "mean_frequency_hz": {"policy0": 1.5e9},
            "max_frequency_hz": {"policy0": 1.5e9},
            "limit_frequency_hz": {"policy0": [1.5e9, 1.5e9]},
            "throttle_events": {"throttled": 0},
            "quota_throttled_periods": 0,
            "cooling": {},
            "suspended_s": 0.0,
            "clock_step_s": 0.0,
        },
        "own": {
            "cpu_s": 5.9,
            "wall_s": 3.0,
            "involuntary_switches": 6,
            "voluntary_switches": 9,
            "major_faults": 0,
        },
    }
    for path, value in changes.items():
        section, _, key = path.partition("__")
        result[section][key] = value
    return result


def seen(result, samples_ns=()):
    return {flag.signal: flag.severity for flag in noise.flags(result, samples_ns)}


def test_a_quiet_run_has_no_flag():
    assert noise.flags(quiet(), [2 * MS] * 1000) == ()
    assert not noise.is_invalid(quiet())


def hot(start_c, **cool_down):
    return {**quiet(), "cool_down": {"start_c": start_c, "below_c": 45.0, **cool_down}}


def test_a_run_that_began_warmer_than_asked_is_flagged():
    (flag,) = noise.flags(hot(47.25, waited_s=180.4, timed_out=True))
    assert (flag.signal, flag.severity) == ("hot start", "flag")
    assert flag.text == ("the run began 2.2 °C warmer than was asked, after 180 s of waiting")
    assert "fan" in flag.advice
    for calm in (hot(45.0, waited_s=9.0), hot(None, reason="no zone"), {**quiet(), "cool_down": 3}):
        assert noise.flags(calm) == ()


def test_a_run_without_readings_has_no_flag():
    for result in ({}, {"host": None}, {"host": {}, "timed_host": {}, "own": {}}):
        assert noise.flags(result) == ()
    assert noise.among([{}, {}, {}]) == ((), (), ())
    assert noise.among([]) == ()


@pytest.mark.parametrize(
    ("change", "signal", "severity"),
    [
        # 1200 ticks: .5 % are 6 and 2 % are 24, three more have to lie beyond
        ({"timed_host__steal_share": 9 / 1200}, "steal", None),
        ({"timed_host__steal_share": 10 / 1200}, "steal", "flag"),
        ({"timed_host__steal_share": 27 / 1200}, "steal", "flag"),
        ({"timed_host__steal_share": 28 / 1200}, "steal", "invalid"),
        ({"host__foreign_share": 43 / 2000}, "foreign cpu", None),
        ({"host__foreign_share": 44 / 2000}, "foreign cpu", "flag"),
        ({"host__foreign_share": 204 / 2000}, "foreign cpu", "invalid"),
        ({"timed_host__pressure_share": {"cpu": 0.052}}, "cpu pressure", None),
        ({"timed_host__pressure_share": {"cpu": 0.9}}, "cpu pressure", "flag"),
        ({"timed_host__pressure_share": {"memory": 0.008}}, "memory pressure", None),
        ({"timed_host__pressure_share": {"memory": 0.009}}, "memory pressure", "invalid"),
        ({"timed_host__pressure_share": {"io": 0.009}}, "io pressure", "invalid"),
        ({"own__major_faults": 1}, "major faults", "flag"),
        ({"timed_host__swap_in_pages": 1, "host__swap_in_pages": 1}, "swap", "invalid"),
        ({"timed_host__swap_out_pages": 1, "host__swap_out_pages": 1}, "swap", "invalid"),
        ({"host__swap_out_pages": 7}, "swap while loading", "flag"),
        ({"timed_host__mean_frequency_hz": {"policy0": 1.48e9}}, "frequency", "flag"),
        ({"timed_host__mean_frequency_hz": {"policy0": 1.49e9}}, "frequency", None),
        ({"timed_host__throttle_events": {"under_voltage": 1}}, "throttled", "flag"),
        ({"timed_host__cooling": {"cpufreq-cpu0": 2}}, "throttled", "flag"),
        ({"host__limit_frequency_hz": {"policy0": [1.5e9, 1.4e9]}}, "throttled", "flag"),
        ({"host__limit_frequency_hz": {"policy0": [1.5e9, 1.49e9]}}, "throttled", None),
        ({"timed_host__quota_throttled_periods": 3}, "cpu quota", "flag"),
        ({"host__quota_throttled_periods": 3}, "cpu quota", None),
        ({"host__sentinel_ns": [1000, 1019]}, "sentinel", None),
        ({"host__sentinel_ns": [1000, 1021]}, "sentinel", "flag"),
        ({"host__sentinel_ns": [1000, 1051]}, "sentinel", "invalid"),
        ({"host__sentinel_ns": [1000, 500]}, "sentinel faster", "flag"),
        ({"host__suspended_s": 30.0}, "suspend", "invalid"),
        ({"timed_host__suspended_s": 0.02}, "suspend", "invalid"),
        ({"host__clock_step_s": -86400.0}, "clock step", "note"),
        ({"host__clock_step_s": 0.09}, "clock step", None),
    ],
)
def test_each_signal_at_its_limits(change, signal, severity):
    result = quiet(**change)
    assert seen(result) == ({signal: severity} if severity else {})
    assert noise.is_invalid(result) == (severity == "invalid")


def test_a_flag_says_the_number_the_limit_and_what_helps():
    (flag,) = noise.flags(quiet(timed_host__steal_share=0.041))
    assert (flag.value, flag.limit) == (0.041, 0.02)
    assert flag.text == "the hypervisor took 4.1% of the cores' time, above 2.0%"
    assert flag.advice.startswith("wait until the neighbours are quiet")
    for signal, limit in LIMITS.items():
        assert limit.advice or signal == "clock step"
        grades = [limit.note, limit.flag, limit.invalid]
        assert any(grade is not None for grade in grades), signal


@pytest.mark.parametrize(
    ("stolen", "severity"), [(1, None), (3, None), (4, "flag"), (5, "invalid")]
)
def test_one_tick_of_a_short_window_is_no_flag(stolen, severity):
    """0.4 s of two cores are 80 ticks: one of them is 1.25 %, and five of them leave no doubt."""
    short = quiet(
        timed_host__window_s=0.4, timed_host__ticks=80, timed_host__steal_share=stolen / 80
    )
    short["host"].pop("steal_share")
    assert seen(short).get("steal") == severity


def test_steal_of_a_short_timed_part_is_read_from_the_whole_run():
    short = {"timed_host__window_s": 0.4, "timed_host__ticks": 160, "timed_host__steal_share": 0.5}
    assert seen(quiet(**short)) == {}
    assert seen(quiet(**short, host__steal_share=0.03)) == {"steal": "invalid"}


def test_a_window_that_nobody_counted_the_ticks_of_is_taken_for_one_cores():
    """Sessions of older versions hold shares and seconds only."""
    old = {"host": {"window_s": 2.0, "steal_share": 0.034}}
    assert seen(old) == {"steal": "flag"}
    old["host"]["steal_share"] = 0.036
    assert seen(old) == {"steal": "invalid"}
    assert seen({"host": {"steal_share": 0.9}}) == {}


def test_only_the_timed_part_tells_of_the_disk():
    """Loading reads it: the whole run's 30 % in the quiet readings are no disturbance."""
    result = quiet()
    assert seen(result) == {}
    result.pop("timed_host")
    assert "io pressure" not in seen(result)
    assert seen(quiet(timed_host__pressure_share={"io": 0.3})) == {"io pressure": "invalid"}


def test_what_only_the_whole_run_knows_is_taken_from_there():
    result = quiet(host__quota_throttled_periods=3, host__cooling={"cpufreq-cpu0": 1})
    assert seen(result) == {}
    result.pop("timed_host")
    assert seen(result) == {"cpu quota": "flag", "throttled": "flag", "frequency": "flag"}


def test_a_stall_is_never_more_than_all_of_the_time():
    (flag,) = noise.flags(quiet(timed_host__pressure_share={"cpu": 1.011}))
    assert flag.value == 1.0
    assert "100.0% of the time" in flag.text


def test_a_cluster_that_idles_is_not_taken_for_a_slow_clock():
    change = {
        "timed_host__mean_frequency_hz": {"policy0": 4e8, "policy4": 2.4e9},
        "timed_host__max_frequency_hz": {"policy0": 1.8e9, "policy4": 2.4e9},
        "timed_host__limit_frequency_hz": {"policy0": [1.8e9] * 2, "policy4": [2.4e9] * 2},
    }
    assert seen(quiet(**change)) == {}
    change["timed_host__mean_frequency_hz"] = {"policy0": 4e8, "policy4": 2.0e9}
    assert seen(quiet(**change)) == {"frequency": "flag"}


def test_a_board_set_to_a_lower_clock_is_not_taken_for_a_slow_one():
    mode = {
        "timed_host__mean_frequency_hz": {"policy0": 1.0e9},
        "timed_host__limit_frequency_hz": {"policy0": [1.0e9, 1.0e9]},
    }
    assert seen(quiet(**mode)) == {}


def test_the_kind_of_throttling_decides_the_advice():
    (supply,) = noise.flags(quiet(timed_host__throttle_events={"under_voltage": 1}))
    assert "power supply" in supply.advice
    (current,) = noise.flags(quiet(timed_host__throttle_events={"oc3_event_cnt": 4}))
    assert "power mode" in current.advice
    (heat,) = noise.flags(quiet(timed_host__cooling={"cpufreq-cpu0": 3}))
    assert "boardmark doctor" in heat.advice
    assert heat.text == "cooling slows the processor: cpufreq-cpu0 in state 3"
    assert noise.throttles(heat)


def test_calls_that_slow_down_while_the_board_warms_are_throttling():
    soak = [100 * MS] * 200 + [110 * MS] * 200
    assert seen(quiet(), soak) == {"throttled": "flag"}
    assert seen(quiet(host__temperature_c={"cpu": [50.0, 51.0]}), soak) == {}
    assert seen(quiet(), soak[::-1]) == {}
    assert seen(quiet(), [value // 10 for value in soak]) == {}  # four seconds are no soak


def test_a_call_during_which_nothing_ran_is_a_pause():
    """3 s of which 1 s passed in one call: CPU time of 2 s proves that no thread ran meanwhile."""
    samples = [2 * MS] * 1000 + [1000 * MS]
    stopped = quiet(own__cpu_s=1.98, own__wall_s=3.0)
    assert seen(stopped, samples) == {"pause": "invalid"}
    assert seen(stopped) == {}
    assert noise.is_invalid(stopped, samples)
    assert seen(quiet(own__cpu_s=5.0), samples) == {"long call": "flag"}
    assert seen(quiet(own__cpu_s=2.9), samples) == {"long call": "flag"}
    assert seen(quiet(own__cpu_s=None), samples) == {"long call": "flag"}
    assert seen(stopped, [2 * MS] * 1000 + [99 * MS]) == {}
    assert seen(stopped, [300 * MS] * 9 + [1000 * MS]) == {}


def test_involuntary_switches_are_held_against_the_cases_other_runs():
    def signals(*counts):
        found = noise.among([quiet(own__involuntary_switches=count) for count in counts])
        return [[flag.signal for flag in of_run] for of_run in found]

    assert signals(300, 320, 290, 310, 980) == [[], [], [], [], ["involuntary switches"]]
    assert signals(300, 320, 290, 310, 900) == [[], [], [], [], []]
    assert signals(0, 0, 0, 0, 12) == [[], [], [], [], []]  # some switches more are chance
    assert signals(0, 0, 0, 0, 20)[4] == ["involuntary switches"]
    assert signals(300, 9000) == [[], []]  # two runs have no usual one
    assert noise.among([quiet(own__involuntary_switches="many")] * 3) == ((), (), ())


def test_a_clock_is_held_against_the_second_fastest_run():
    def severities(*clocks):
        runs = [quiet(timed_host__mean_frequency_hz={"policy0": hz}) for hz in clocks]
        return [[flag.severity for flag in of_run] for of_run in noise.among(runs)]

    assert severities(1.5e9, 1.5e9, 1.48e9, 1.41e9) == [[], [], ["flag"], ["invalid"]]
    assert severities(1.0e9, 1.0e9) == [[], []]
    # one run in a boost says nothing of the others, three of five held down are found
    assert severities(1.7e9, 1.5e9, 1.5e9, 1.5e9, 1.5e9) == [[], [], [], [], []]
    assert severities(1.5e9, 1.5e9, 1.2e9, 1.2e9, 1.2e9)[2:] == [["invalid"]] * 3
    found = noise.among([quiet(), quiet(timed_host__mean_frequency_hz={"policy0": 1.2e9}), {}])
    assert [len(of_run) for of_run in found] == [0, 1, 0]
    assert noise.throttles(found[1][0])
    assert not noise.throttles(noise.flags(quiet(timed_host__steal_share=0.5))[0])


def test_the_clusters_clock_that_works_is_the_one_compared():
    def run(little, big):
        return quiet(
            timed_host__mean_frequency_hz={"policy0": little, "policy4": big},
            timed_host__max_frequency_hz={"policy0": 1.8e9, "policy4": 2.4e9},
        )

    idle_little = noise.among([run(5e8, 2.4e9), run(1.2e9, 2.4e9), run(4e8, 2.4e9)])
    assert idle_little == ((), (), ())
    assert [len(x) for x in noise.among([run(5e8, 2.4e9), run(5e8, 2.0e9), run(5e8, 2.4e9)])] == [
        0,
        1,
        0,
    ]


@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=60))
def test_thirds_are_of_the_time(samples):
    first, last = first_and_last_third(samples)
    assert list(first) == samples[: len(first)]
    assert list(last) == samples[len(samples) - len(last) :]
    assert 3 * sum(first) >= sum(samples) > 3 * sum(first[:-1])
    assert 3 * sum(last) >= sum(samples)


_PATHS = [f"{part}__{key}" for part, of in quiet().items() for key in of]
_odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.floats() | st.integers() | st.none(), max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from(["policy0", "cpu", "io", "memory", "under_voltage", "x"]), inner, max_size=3
    ),
    max_leaves=5,
)


@given(
    changes=st.dictionaries(st.sampled_from(_PATHS), _odd, max_size=8),
    samples=st.lists(st.integers(0, 10**12), max_size=12),
)
@settings(max_examples=300, deadline=None)
def test_whatever_an_agent_reports_gives_flags_of_finite_numbers_or_none(changes, samples):
    result = quiet(**changes)
    found = noise.flags(result, samples) + noise.among([result, quiet(), quiet()])[0]
    for flag in found:
        assert math.isfinite(flag.value) and math.isfinite(flag.limit)
        assert abs(flag.value) > flag.limit
        assert 0 < len(flag.text) < 200
        assert flag.signal in LIMITS
    assert noise.is_invalid(result, samples) == any(
        flag.severity == "invalid" for flag in noise.flags(result, samples)
    )


def test_numbers_beyond_all_measure_are_no_flag():
    assert seen(quiet(host__sentinel_ns=[5e-324, 1e308])) == {}
    (flag,) = noise.flags(quiet(own__major_faults=1e308))
    assert "1e+308 pages" in flag.text


@given(part=st.sampled_from(["host", "timed_host", "own"]), value=_odd)
def test_a_section_of_any_shape_is_no_error(part, value):
    found = noise.flags({**quiet(), part: value}, [MS])
    assert all(flag.signal in LIMITS and math.isfinite(flag.value) for flag in found)
    assert len(noise.among([{**quiet(), part: value}] * 3)) == 3


def swinging(changes: list[float]) -> list[dict[str, Any]]:
    return [{"host": {"sentinel_ns": [1000, 1000 * (1 + change)]}} for change in changes]


def test_a_sentinel_that_always_swings_condemns_only_the_rarest_runs():
    restless = swinging([0.3, -0.2, 0.1, 0.25] * 10 + [0.9])
    usual = noise.usual_sentinel(restless)
    assert usual == pytest.approx(0.3)
    graded = [noise.eased(noise.flags(result), usual)[0].severity for result in restless]
    assert [at for at, severity in enumerate(graded) if severity == "invalid"] == [40]


def test_a_calm_sentinel_keeps_its_own_limit():
    calm = swinging([0.01, -0.01] * 20 + [0.06])
    flagged = noise.eased(noise.flags(calm[-1]), noise.usual_sentinel(calm))
    assert [flag.severity for flag in flagged] == ["invalid"]
    assert noise.usual_sentinel(swinging([0.3] * 19)) == 0.0, "too few runs to call it usual"
    assert noise.usual_sentinel([{}] * 50) == 0.0
