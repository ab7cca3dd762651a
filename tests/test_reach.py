"""From the word after --device to a board: which file, which words, and a look at its meter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from meter_servers import Device, meter, served

from devices.lab import Reachable
from harness.commands import reach
from harness.errors import UsageError


@pytest.fixture
def device() -> Iterator[tuple[Device, str]]:
    shown = Device(power_w=5.0)
    with served(shown) as url:
        yield shown, url


def test_a_meter_that_tells_nothing_is_named_before_its_minutes_are_spent(
    device: tuple[Device, str],
) -> None:
    shown, url = device
    board = Reachable(name="pi", address="pi@192.0.2.7", meter=meter("shelly", url))
    assert reach.meter_trouble(board) is None
    shown.power_w = 0.0
    told = reach.meter_trouble(board)
    assert told == (
        "the power meter of 'pi' tells nothing: it shows 0 W, which no running board draws: is the"
        " board behind it?; see the lab file"
    )
    assert reach.meter_trouble(None) is None


def test_the_lab_decides_what_a_word_means(tmp_path: Path) -> None:
    lab = tmp_path / "lab.toml"
    lab.write_text('[boards.jetson]\naddress = "bench@192.0.2.7"\n')
    found = reach.place("jetson", lab)
    assert found is not None
    assert found.address == "bench@192.0.2.7"
    assert reach.place("local", lab) is None
    assert reach.place("pi4b", lab) is None
    with pytest.raises(UsageError, match=r"nowhere/lab\.toml"):
        reach.place("jetson", tmp_path / "nowhere" / "lab.toml")
