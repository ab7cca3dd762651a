"""What a board of the lab is called, and that it must be what the lab file says."""

from __future__ import annotations

from typing import Any

import boards
import pytest

from devices import load
from devices.lab import Reachable
from devices.reached import reached
from harness.agent.identify import identify
from harness.errors import DeviceError


def place(name: str, profile: str | None = None) -> Reachable:
    return Reachable(name=name, address="bench@192.0.2.7", profile=profile)


@pytest.fixture(scope="module")
def nano() -> dict[str, Any]:
    return dict(identify(boards.root("nano")))


def test_a_lab_name_that_is_the_boards_own_gives_its_profile(nano: dict[str, Any]) -> None:
    for word in ("jetson-nano", "jetson", "nano"):
        assert reached(place(word), nano) == load("jetson-nano")


def test_another_name_makes_it_a_device_of_its_own(nano: dict[str, Any]) -> None:
    found = reached(place("jetson-3", "jetson-nano"), nano)
    assert found.name == "jetson-3"
    assert found.soc == load("jetson-nano").soc


def test_a_board_that_is_not_what_the_lab_says_is_refused(nano: dict[str, Any]) -> None:
    with pytest.raises(
        DeviceError, match=r"board 'jetson' is no Raspberry Pi 4B.*NVIDIA Jetson Nano"
    ):
        reached(place("jetson", "raspberry-pi-4b"), nano)
