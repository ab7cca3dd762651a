from pathlib import Path

import boards
import pytest

from harness.agent.probes import host


@pytest.mark.parametrize("board", boards.BOARDS)
def test_a_snapshot_answers_or_says_why(board):
    found = host.snapshot(boards.root(board))
    for key in ("cpu", "pressure", "frequency_hz", "temperature_c", "swap"):
        assert (found[key] is None) == (key in found["unknown"]), key


def test_zones_that_show_no_temperature_are_left_out():
    zones = host.snapshot(boards.root("nano"))["temperature_c"]
    assert sorted(zones) == ["AO-therm", "CPU-therm", "GPU-therm", "PLL-therm"]
    assert zones["CPU-therm"] == pytest.approx(31.5)


def test_a_zone_that_answers_eagain_is_missing_not_zero(monkeypatch):
    def busy(path, mode="r"):
        if "thermal_zone5/temp" in str(path):
            raise BlockingIOError(11, "Resource temporarily unavailable", path)
        return Path(path).open(mode)

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
    assert found["busy_share"] == pytest.approx(200 / 400)
    assert found["steal_share"] == pytest.approx(50 / 400)
    assert found["iowait_share"] == pytest.approx(50 / 400)
    assert (found["swap_in_pages"], found["swap_out_pages"]) == (3, 4)
    assert found["pressure_share"]["memory"] == pytest.approx(0.25)
    assert found["temperature_c"]["soc-thermal"] == pytest.approx([41.6, 50.0])
    assert found["unknown"] == {}


def test_nothing_readable_is_all_none(tmp_path):
    before = host.snapshot(str(tmp_path))
    found = host.delta(before, host.snapshot(str(tmp_path)))
    known = {key for key, value in found.items() if value is not None}
    assert known == {"window_s", "unknown"}
    assert found["unknown"]["cpu"] == "/proc/stat does not exist"


def test_this_machine():
    before = host.snapshot()
    found = host.delta(before, host.snapshot())
    assert found["swap_in_pages"] is not None
    assert found["busy_share"] is None or 0.0 <= found["busy_share"] <= 1.0
