"""Temperature, clock and throttling over the time in which samples are taken."""

import boards
import duckdb
import handmade
import pytest

from harness.agent import beat, watch
from results.store import Store

PERIOD_NS = 200_000_000


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that stands still until the test moves it."""

    class Clock:
        now_ns = 5_000_000_000

        def __call__(self):
            return self.now_ns

    found = Clock()
    monkeypatch.setattr(watch, "monotonic_ns", found)
    monkeypatch.setattr(beat, "monotonic_ns", found)
    return found


def watched(root, clock, changes, hz=5.0):
    """Watch a tree over as many moments as there are `changes` ({path: text or None to delete})."""
    found = watch.Watch({"watch_hz": hz, "root": str(root)})
    found.hear("first")
    begin_ns = clock.now_ns + PERIOD_NS  # the first moment lies in the warm-up
    for files in changes:
        for path, text in files.items():
            (root / path).unlink() if text is None else (root / path).write_text(text)
        clock.now_ns += PERIOD_NS
        found.tick()
    found.hear("steady")
    clock.now_ns += PERIOD_NS
    found.tick()
    return found.result(begin_ns)


@pytest.fixture
def rockchip(tmp_path):
    return boards.copy("orange-pi-5", tmp_path)


def test_nothing_is_watched_unless_it_is_asked_for(clock):
    found = watch.Watch({"root": boards.root("nano")})
    found.hear("first")
    found.tick()
    assert found.result(None) is None
    assert found.wait_s(0.25) == 0.25


def test_a_board_that_heats_up_and_is_slowed_down(rockchip, clock):
    zone = "sys/class/thermal/thermal_zone0/temp"
    capped = {
        zone: "86000\n",
        "sys/class/thermal/cooling_device1/cur_state": "3\n",
        "sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq": "1200000\n",
        "sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq": "1200000\n",
    }
    found = watched(rockchip, clock, [{zone: "50000\n"}, {zone: "70000\n"}, capped])
    assert found["t_s"] == pytest.approx([0.0, 0.2, 0.4])
    assert found["temperature_c"]["soc-thermal"] == [50.0, 70.0, 86.0]
    assert len(found["temperature_c"]) == 7
    assert found["frequency_hz"]["policy4"] == [2.4e9, 2.4e9, 1.2e9]
    assert found["limit_frequency_hz"]["policy4"] == [2.4e9, 2.4e9, 1.2e9]
    assert found["cooling"]["thermal-cpufreq-1"] == [0, 0, 3]
    assert (found["missed"], found["period_s"]) == (0, 0.2)
    assert set(found["reasons"]) == {"throttle", "power_w"}
    assert "power_w" not in found


def test_a_read_that_fails_is_null_and_counted(rockchip, clock):
    zone = "sys/class/thermal/thermal_zone0/temp"
    moments = [{zone: "50000\n"}, {zone: "-11\n\n x"}, {zone: None}, {}]
    found = watched(rockchip, clock, moments)
    assert found["temperature_c"]["soc-thermal"] == [50.0, None, None, None]
    assert found["missed"] == 3
    assert "thermal_zone0/temp does not exist" in found["reasons"]["temperature_c.soc-thermal"]
    assert None not in found["temperature_c"]["gpu-thermal"]


def test_what_never_answers_is_a_reason_and_no_series(rockchip, clock):
    zone = "sys/class/thermal/thermal_zone0/temp"
    found = watched(rockchip, clock, [{zone: None}, {}])
    assert "soc-thermal" not in found["temperature_c"]
    assert "temperature_c.soc-thermal" in found["reasons"]


def test_the_bits_of_a_pi_come_and_go(tmp_path, clock):
    root = boards.copy("pi4", tmp_path)
    path = "sys/devices/platform/soc/soc:firmware/get_throttled"
    found = watched(root, clock, [{path: "0\n"}, {path: "50005\n"}, {path: "50000\n"}])
    assert found["throttle"]["under_voltage"] == [0, 1, 0]
    assert found["throttle"]["throttled"] == [0, 1, 0]
    assert found["throttle"]["frequency_capped"] == [0, 0, 0]


def test_counts_are_told_since_the_watch_began(tmp_path, clock):
    root = boards.copy("orin-nano", tmp_path)
    path = "sys/class/hwmon/hwmon2/oc3_event_cnt"
    found = watched(root, clock, [{}, {path: "39\n"}, {path: "40\n"}])
    assert found["throttle"]["oc3_event_cnt"] == [0, 2, 3]
    assert found["throttle"]["oc1_event_cnt"] == [0, 0, 0]


def test_power_is_watched_where_that_costs_nothing(tmp_path, clock):
    root = boards.copy("nano", tmp_path)
    path = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input"
    found = watched(root, clock, [{path: "5000\n"}, {path: "0\n"}, {path: "7000\n"}])
    assert found["power_w"] == [5.0, None, 7.0]
    assert "no power of a running board" in found["reasons"]["power_w"]


def test_power_that_is_an_estimate_says_so(clock):
    found = watched(boards.root("agx-orin"), clock, [{}, {}])
    assert found["power_w"][0] > 0
    assert (found["power_by"]["method"], found["power_by"]["scope"]) == ("estimate", "module")


def test_a_counter_tells_the_mean_power_since_the_moment_before(tmp_path, clock, monkeypatch):
    monkeypatch.setattr("harness.agent.probes.recorder.monotonic_ns", clock)
    root = boards.copy("n5105", tmp_path)
    path = "sys/class/powercap/intel-rapl:0/energy_uj"
    first = 262_143_000_000
    moments = [{path: f"{first + move}\n"} for move in (400_000, 400_000, 999_938)]
    found = watched(root, clock, [*moments, {path: "2000061\n"}])  # beyond its range
    assert found["power_w"] == [
        pytest.approx(2.0),
        None,
        pytest.approx(2.99969),
        pytest.approx(10.000305),
    ]
    assert found["missed"] == 1, "no running processor takes nothing"


def test_a_power_source_that_starts_a_program_is_left_alone(tmp_path, clock):
    root = boards.copy("pi5", tmp_path)
    program = root / "usr/bin/vcgencmd"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\necho 'VDD_CORE_A current(7)=1.5A'; echo 'VDD_CORE_V volt(8)=1V'")
    program.chmod(0o755)
    found = watched(root, clock, [{}])
    assert "power_w" not in found
    assert "takes too much time beside a measurement" in found["reasons"]["power_w"]


def test_five_times_a_second_is_the_most(clock):
    found = watch.Watch({"watch_hz": 1000, "root": boards.root("nano")})
    found.hear("first")
    assert found.wait_s(1.0) == pytest.approx(0.2)
    assert found.result(clock.now_ns)["t_s"] == [0.0]


def test_a_run_that_dies_tells_what_was_seen_until_then(rockchip, clock):
    found = watch.Watch({"watch_hz": 5, "root": str(rockchip)})
    found.hear("first")
    clock.now_ns += PERIOD_NS
    found.tick()
    told = found.result(None)
    assert told["t_s"] == pytest.approx([0.0, 0.2])
    assert "ended before" in told["reasons"]["t_s"]


@pytest.mark.parametrize("board", boards.BOARDS)
def test_every_board_is_watched_or_says_why(board, tmp_path, clock):
    found = watched(boards.copy(board, tmp_path), clock, [{}, {}])
    for key in ("temperature_c", "frequency_hz", "cooling", "throttle", "power_w"):
        assert (key in found) != (key in found["reasons"]), key


def test_the_supervisor_watches_while_samples_are_taken(local, null_request, tmp_path):
    """The series lies within the timed phase of a real run and comes back from a sealed store."""
    root = boards.copy("orange-pi-5", tmp_path)
    request = null_request({"watch_hz": 5.0, "root": str(root)}, latency_us=5000)
    request["sampling"].update(min_s=1.5, budget_s=1.5, max_samples=100_000)
    *_, last = local.run(request)
    result = last["result"]
    found = result["watch"]
    assert 5 <= len(found["t_s"]) <= 9
    assert found["t_s"][0] >= 0
    assert found["t_s"][-1] <= result["timed_wall_s"] + sum(result["warmup_ns"]) / 1e9 + 0.3
    assert len(found["temperature_c"]["soc-thermal"]) == len(found["t_s"])
    store = Store.create(tmp_path / "store")
    with store.start(handmade.plan()) as journal:
        journal.append(handmade.run(0, handmade.FP32, 0, result=result))
    store.seal(handmade.SESSION_ID)
    parts = str(store.root / "parts" / "probes" / "**" / "*.parquet")
    rows = duckdb.sql(
        f"select metric, values, offsets_s, unit from read_parquet('{parts}')"
        " where probe = 'watch' and phase = 'timed'"
    ).fetchall()
    by_metric = {row[0]: row[1:] for row in rows}
    values, offsets_s, unit = by_metric["temperature_c.soc-thermal"]
    assert values == pytest.approx(found["temperature_c"]["soc-thermal"])
    assert offsets_s == pytest.approx(found["t_s"])
    assert unit == "c"
    assert {"frequency_hz.policy4", "cooling.thermal-cpufreq-1", "missed"} <= set(by_metric)
