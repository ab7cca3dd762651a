"""A run starts when the hottest zone is cool enough, or after a while and told so."""

import boards
import pytest

from harness.agent import cooling
from harness.agent.probes import thermal

ZONES = "sys/class/thermal/thermal_zone{}/temp"


@pytest.fixture
def board(tmp_path, monkeypatch):
    """An Orange Pi 5 whose zones all show 60 °C; polling costs a hundredth of a second."""
    monkeypatch.setattr(cooling, "POLL_S", 0.01)
    root = boards.copy("orange-pi-5", tmp_path)
    for path in root.glob(ZONES.format("*")):
        path.write_text("60000\n")
    return root


def wait(root, below_c, timeout_s, told=lambda *_, **__: None):
    return cooling.wait({"below_c": below_c, "timeout_s": timeout_s}, str(root), told)


def test_nothing_is_asked_and_nothing_is_told(board):
    assert cooling.wait(None, str(board), None) is None


def test_a_cool_board_starts_at_once(board):
    found = wait(board, 60.0, 10.0, told=None)
    assert (found["start_c"], found["timed_out"], found["reason"]) == (60.0, False, None)
    assert found["waited_s"] < 0.5


def test_the_hottest_zone_decides_and_the_desk_hears_of_every_poll(board):
    heard = []

    def told(event, **facts):
        heard.append((event, facts))
        for number in range(len(heard)):  # one zone after the other cools down
            (board / ZONES.format(number)).write_text("45000\n")

    found = wait(board, 50.0, 10.0, told)
    zones = len(thermal.zones(str(board)))
    assert zones == 7
    assert len(heard) == zones
    assert heard[0] == ("phase", {"name": "cooling", "hottest_c": 60.0, "below_c": 50.0})
    assert (found["from_c"], found["start_c"], found["timed_out"]) == (60.0, 45.0, False)
    assert found["waited_s"] >= 0.01 * zones


def test_a_board_that_stays_warm_starts_after_the_time_out(board):
    found = wait(board, 50.0, 0.1)
    assert found["timed_out"]
    assert (found["start_c"], found["below_c"]) == (60.0, 50.0)
    assert 0.1 <= found["waited_s"] < 5.0


def test_a_board_without_zones_waits_for_nothing_and_says_why(tmp_path):
    found = wait(boards.root("vm-x86"), 50.0, 10.0)
    assert (found["start_c"], found["timed_out"]) == (None, False)
    assert found["reason"] == "/sys/class/thermal has no readable zone"


def test_zones_that_vanish_end_the_wait(board):
    def told(event, **facts):
        for path in board.glob(ZONES.format("*")):
            path.unlink(missing_ok=True)

    found = wait(board, 50.0, 10.0, told)
    assert (found["from_c"], found["start_c"], found["timed_out"]) == (60.0, None, False)
    assert "no readable zone" in found["reason"]


def test_a_zone_that_shows_no_temperature_does_not_hold_a_run(board):
    """The nano's power chip says 100 °C all its life."""
    kind = board / "sys/class/thermal/thermal_zone0/type"
    for path in board.glob(ZONES.format("*")):
        path.write_text("40000\n")
    (board / ZONES.format(0)).write_text("100000\n")
    for name in ("PMIC-Die", "thermal-fan-est", "INT3400 Thermal"):
        kind.write_text(name + "\n")
        assert wait(board, 50.0, 0.0)["start_c"] == 40.0


def test_the_agent_waits_before_it_starts_the_child(local, null_request, tmp_path):
    root = boards.copy("orange-pi-5", tmp_path)
    hot = root / ZONES.format(0)
    hot.write_text("70000\n")
    events = []
    for event in local.run(
        null_request({"cool": {"below_c": 50.0, "timeout_s": 20.0}, "root": str(root)})
    ):
        events.append(event)
        hot.write_text("48000\n")
    names = [event.get("name") for event in events[:-1]]
    assert names == ["cooling", "imported", "loaded", "first", "steady", "timed"]
    result = events[-1]["result"]
    assert result["cool_down"]["start_c"] == 48.0
    assert 1.0 <= result["cool_down"]["waited_s"] < 10.0
    assert "watch" not in result
