import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import boards
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.agent.probes import clock, host, throttle
from harness.agent.tree import Unreadable

POLICY = "sys/devices/system/cpu/cpufreq/policy0/"
THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"


@pytest.fixture
def between(tmp_path):
    """Return a function that takes a board's snapshot, changes files, and gives what happened."""

    def measure(board, changes):
        root = boards.copy(board, tmp_path)
        before = host.snapshot(str(root))
        for path, text in changes.items():
            (root / path).write_text(text)
        return host.delta(before, host.snapshot(str(root)))

    return measure


@pytest.mark.parametrize("board", boards.BOARDS)
def test_a_snapshot_answers_or_says_why(board):
    found = host.snapshot(boards.root(board))
    for key in set(found) - {"t_ns", "unknown"}:
        assert (found[key] is None) == (key in found["unknown"]), key
    json.dumps(host.delta(found, found), allow_nan=False)


@pytest.mark.parametrize("board", boards.BOARDS)
def test_between_a_moment_and_itself_nothing_happened(board):
    found = host.snapshot(boards.root(board))
    same = host.delta(found, found)
    assert not any((same["throttle_events"] or {}).values())
    assert same["mean_frequency_hz"] in (None, {})
    assert (same["suspended_s"], same["clock_step_s"]) == (0.0, 0.0)


def test_zones_that_show_no_temperature_are_left_out():
    zones = host.snapshot(boards.root("nano"))["temperature_c"]
    assert sorted(zones) == ["AO-therm", "CPU-therm", "GPU-therm", "PLL-therm"]
    assert zones["CPU-therm"] == pytest.approx(31.5)


def test_a_zone_that_answers_eagain_is_missing_not_zero(monkeypatch):
    def busy(path, mode="r", buffering=-1):
        if "thermal_zone5/temp" in str(path):
            raise BlockingIOError(11, "Resource temporarily unavailable", path)
        return Path(path).open(mode, buffering)

    monkeypatch.setattr("harness.agent.tree.open", busy, raising=False)
    zones = host.snapshot(boards.root("orange-pi-5"))["temperature_c"]
    assert "gpu-thermal" not in zones
    assert len(zones) == 6


def test_one_frequency_per_policy():
    found = host.snapshot(boards.root("orange-pi-5"))["frequency_hz"]
    assert found == {"policy0": 1.8e9, "policy4": 2.4e9, "policy6": 2.352e9}


def test_what_happened_between_two_snapshots(tmp_path, monkeypatch):
    root = boards.copy("orange-pi-5", tmp_path)
    times = iter((0, 2_000_000_000))
    monkeypatch.setattr(host, "monotonic_ns", lambda: next(times))
    before = host.snapshot(str(root))
    (root / "proc/stat").write_text("cpu 1100 0 550 98150 350 0 100 50 0 0\n")
    (root / "proc/vmstat").write_text("pswpin 3\npswpout 4\n")
    (root / "proc/pressure/memory").write_text("some avg10=0.00 total=501000\nfull total=9\n")
    (root / "sys/class/thermal/thermal_zone0/temp").write_text("50000\n")
    found = host.delta(before, host.snapshot(str(root)))
    assert found["window_s"] == pytest.approx(2.0)
    assert found["ticks"] == 400
    assert found["busy_share"] == pytest.approx(200 / 400)
    assert found["steal_share"] == pytest.approx(50 / 400)
    assert found["iowait_share"] == pytest.approx(50 / 400)
    assert (found["swap_in_pages"], found["swap_out_pages"]) == (3, 4)
    assert found["pressure_share"]["memory"] == pytest.approx(0.25)
    assert found["temperature_c"]["soc-thermal"] == pytest.approx([41.6, 50.0])
    assert set(found["unknown"]) == {"throttle", "quota"}


def test_the_mean_clock_is_weighted_by_the_time_spent_at_each(between):
    """600 MHz for 25 ticks, 1500 MHz for 75: what the two ends alone would not show."""
    rows = "600000 90025\n750000 100\n1000000 300\n1500000 9675\n"
    found = between("pi4", {POLICY + "stats/time_in_state": rows})
    assert found["mean_frequency_hz"] == pytest.approx({"policy0": 1.275e9})
    assert found["max_frequency_hz"] == {"policy0": 1.5e9}
    assert found["frequency_hz"] == {"policy0": [6e8, 6e8]}


@given(
    st.dictionaries(
        st.sampled_from([6e8, 7.5e8, 1e9, 1.5e9]),
        st.tuples(st.integers(0, 10**9), st.integers(0, 10**6)),
        min_size=1,
    )
)
def test_a_mean_clock_lies_between_the_clocks_that_were_used(spent):
    before = {"policy0": {hz: since for hz, (since, _) in spent.items()}}
    after = {"policy0": {hz: since + more for hz, (since, more) in spent.items()}}
    used = [hz for hz, (_, more) in spent.items() if more]
    mean = clock.mean_frequency(before, after)
    assert set(mean) == ({"policy0"} if used else set())
    for hz in mean.values():
        assert min(used) * (1 - 1e-12) <= hz <= max(used) * (1 + 1e-12)


def test_stats_that_were_reset_meanwhile_give_no_mean():
    before, after = {"policy0": {1e9: 500, 2e9: 10}}, {"policy0": {1e9: 5, 2e9: 1000}}
    assert clock.mean_frequency(before, after) == {}
    assert clock.mean_frequency(before, {}) == {}


def test_a_limit_that_heat_lowers_during_the_run(between):
    found = between(
        "orange-pi-5",
        {
            "sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq": "1200000\n",
            "sys/class/thermal/cooling_device1/cur_state": "6\n",
        },
    )
    assert found["limit_frequency_hz"]["policy4"] == [2.4e9, 1.2e9]
    assert found["max_frequency_hz"]["policy4"] == 2.4e9
    assert found["cooling"] == {"thermal-cpufreq-1": 6}


def test_what_cools_without_slowing_anything_is_not_told(between):
    """A fan that turns, a configured offset and a clamp at -1 are a machine at rest."""
    assert between("pi5", {})["cooling"] == {}
    assert between("n5105", {})["cooling"] == {}
    assert between("vm-x86", {})["cooling"] is None


def test_several_devices_of_one_type_tell_the_largest_state(tmp_path):
    root = boards.copy("n5105", tmp_path)
    for number, now in ((1, 3), (2, 7), (3, 1)):
        path = root / f"sys/class/thermal/cooling_device{number}/cur_state"
        path.write_text(f"{now}\n")
    assert throttle.cooling(str(root)) == {"Processor": 7}


def test_throttling_of_x86_adds_up_over_the_cores(between):
    base = "sys/devices/system/cpu/cpu{}/thermal_throttle/{}_throttle_count"
    changes = {base.format(1, "core"): "5\n", base.format(3, "core"): "4\n"}
    found = between("n5105", {**changes, base.format(0, "package"): "3\n"})
    assert found["throttle_events"] == {"core_throttle_count": 5, "package_throttle_count": 1}


def test_over_current_of_a_jetson(between):
    found = between("orin-nano", {"sys/class/hwmon/hwmon2/oc3_event_cnt": "1037\n"})
    assert found["throttle_events"] == {
        "oc1_event_cnt": 0,
        "oc2_event_cnt": 0,
        "oc3_event_cnt": 1000,
    }


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        ("0", "0", set()),
        ("50000", "50000", set()),  # both happened before this run
        ("0", "50000", {"under_voltage", "throttled"}),  # came and went
        ("10000", "50000", {"throttled"}),
        ("10001", "10000", {"under_voltage"}),  # on at the start
        ("0x0", "0xe0008", {"frequency_capped", "throttled", "soft_temperature_limit"}),
    ],
)
def test_the_bits_of_a_raspberry_pi(tmp_path, before, after, seen):
    root = boards.copy("pi4", tmp_path)
    (root / THROTTLED).write_text(before + "\n")
    first = host.snapshot(str(root))
    (root / THROTTLED).write_text(after + "\n")
    events = host.delta(first, host.snapshot(str(root)))["throttle_events"]
    assert {name for name, count in events.items() if count} == seen
    assert len(events) == 4


def test_the_voltage_alarm_stands_in_where_the_firmware_file_is_missing(tmp_path):
    root = boards.copy("pi4", tmp_path)
    (root / THROTTLED).unlink()
    assert throttle.pi(str(root)) == {"now": [], "remembered": []}
    (root / "sys/class/hwmon/hwmon1/in0_lcrit_alarm").write_text("1\n")
    assert throttle.pi(str(root))["now"] == ["under_voltage"]
    with pytest.raises(Unreadable, match="no Raspberry Pi firmware"):
        throttle.pi(boards.root("nano"))


def test_a_count_that_was_reset_is_left_out():
    before = {"counts": {"a": 5, "b": 1, "c": 2}, "bits": None}
    after = {"counts": {"a": 4, "b": 3}, "bits": None}
    assert throttle.events(before, after) == {"b": 2}


@pytest.mark.parametrize(
    ("groups", "folder"),
    [
        ("0::/system.slice/agent.service\n", "sys/fs/cgroup/system.slice/agent.service"),
        ("0::/\n", "sys/fs/cgroup"),
        ("4:memory:/box\n3:cpu,cpuacct:/box\n0::/\n", "sys/fs/cgroup/cpu,cpuacct/box"),
        ("3:cpu,cpuacct:/box\n", "sys/fs/cgroup/cpu/box"),
        ("3:cpu:/docker/0123\n", "sys/fs/cgroup/cpu"),  # a container that sees only its own group
    ],
)
def test_a_cpu_quota_of_both_cgroup_versions(tmp_path, groups, folder):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    (tmp_path / folder).mkdir(parents=True)
    stat = tmp_path / folder / "cpu.stat"
    stat.write_text("nr_periods 10\nnr_throttled 3\nthrottled_usec 9\n")
    before = host.snapshot(str(tmp_path))
    stat.write_text("nr_periods 20\nnr_throttled 8\nthrottled_usec 9\n")
    found = host.delta(before, host.snapshot(str(tmp_path)))
    assert found["quota_throttled_periods"] == 5


@pytest.mark.parametrize("name", ["suspended_s", "clock_step_s"])
def test_sleep_and_steps_of_the_wall_clock(monkeypatch, name):
    before = host.snapshot()
    moved = {"suspended_s": 7, "clock_step_s": time.CLOCK_REALTIME}[name]
    real = time.clock_gettime
    monkeypatch.setattr(
        clock.time, "clock_gettime", lambda which: real(which) + 42.0 * (which == moved)
    )
    found = host.delta(before, host.snapshot())
    assert found[name] == pytest.approx(42.0, abs=0.01)
    other = ({"suspended_s", "clock_step_s"} - {name}).pop()
    assert found[other] == pytest.approx(0.0, abs=0.01)


def test_foreign_time_is_what_is_left_when_ours_is_taken_away(between):
    ticks = os.sysconf("SC_CLK_TCK")
    none = {"iowait": 0, "irq": 0, "softirq": 0, "nice": 0, "idle": 0, "steal": 0}
    before = {"cpu": {**none, "user": 0, "system": 0}}
    after = {"cpu": {**none, "user": 300, "system": 50, "idle": 600, "iowait": 40, "steal": 10}}
    assert host.foreign_share(before, after, 250 / ticks) == pytest.approx(0.1)
    assert host.foreign_share(before, after, 351 / ticks) == 0.0
    assert host.foreign_share(before, before, 0.0) is None
    assert host.foreign_share({"cpu": None}, after, 0.0) is None


def test_nothing_readable_is_all_none(tmp_path):
    before = host.snapshot(str(tmp_path))
    found = host.delta(before, host.snapshot(str(tmp_path)))
    known = {key for key, value in found.items() if value is not None}
    assert known == {"window_s", "unknown", "suspended_s", "clock_step_s"}
    assert found["unknown"]["cpu"] == "/proc/stat does not exist"


def test_this_machine():
    before = host.snapshot()
    found = host.delta(before, host.snapshot())
    assert found["swap_in_pages"] is not None
    assert found["busy_share"] is None or 0.0 <= found["busy_share"] <= 1.0
    assert abs(found["suspended_s"]) < 0.01


def test_a_snapshot_is_cheap():
    """The child takes two around its timed part; the best of many, as others compute here too."""
    times = []
    for _ in range(50):
        start = time.perf_counter()
        host.snapshot()
        times.append(time.perf_counter() - start)
    assert min(times) < 2e-3


def _burn(until):
    while time.monotonic() < until:
        pass


def _ours_s():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _foreign(seconds):
    used, before = _ours_s(), host.snapshot()
    time.sleep(seconds)
    return host.foreign_share(before, host.snapshot(), _ours_s() - used)


def test_a_neighbour_that_burns_a_core_is_foreign():
    """It adds at least half a core to whatever else goes on here meanwhile."""
    cores = len(os.sched_getaffinity(0))
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.1)
        share = _foreign(1.0)
    finally:
        neighbour.kill()
        neighbour.wait()
    assert share > 0.5 / cores


def test_what_we_burn_ourselves_is_not_foreign():
    used, before = _ours_s(), host.snapshot()
    _burn(time.monotonic() + 1.0)
    after, ours_s = host.snapshot(), _ours_s() - used
    with_ours = host.foreign_share(before, after, 0.0)
    without = host.foreign_share(before, after, ours_s)
    share = ours_s * os.sysconf("SC_CLK_TCK") / host.delta(before, after)["ticks"]
    assert with_ours - without == pytest.approx(min(share, with_ours), abs=1e-9)
    assert ours_s > 0.05
