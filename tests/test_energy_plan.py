"""How long power is measured, in which runs, and when it is left out."""

from __future__ import annotations

from pathlib import Path

import handmade
import msgspec
import pytest

from devices.lab import Meter, Reachable
from harness.plan import energy, pace
from harness.plan.choice import Choice
from harness.session import prepare as preparing
from harness.session import requests
from suites import Suite
from suites.models import ModelOptions

WALL = Meter(kind="shelly", url="http://192.0.2.9", scope="wall")


class Elsewhere:
    """A transport that puts nothing anywhere."""

    def put(self, files: list[Path]) -> list[str]:
        return [str(file) for file in files]


def test_a_board_without_a_source_is_asked_in_every_run_for_it_says_why() -> None:
    found = energy.passes({"power": {"source": None, "reasons": ["none"]}}, None)
    assert found == energy.Passes(energy_s=1.5, idle_s=0.0, blocks=None)


@pytest.mark.parametrize(("needed_s", "blocks"), [(1.2, None), (2.0, None), (30.0, 1)])
def test_a_pass_is_as_long_as_the_source_needs_and_a_long_one_is_made_once(
    needed_s: float, blocks: int | None
) -> None:
    found = energy.passes({"power": {"source": {"window_s_needed": needed_s}}}, None)
    assert found.energy_s == found.idle_s == max(1.5, needed_s)
    assert found.blocks == blocks


def test_a_meter_at_the_wall_takes_a_minute_once_per_case() -> None:
    found = energy.passes({"power": {"source": {"window_s_needed": 1.5}}}, WALL)
    assert (found.energy_s, found.idle_s, found.blocks) == (60.0, 20.0, 1)
    assert found.total_s(cases=4, blocks=5) == 4 * 80.0


def test_power_is_left_out_where_it_would_take_most_of_the_budget() -> None:
    power = energy.passes({}, WALL)
    assert energy.within(power, 80.0, 180.0) == power
    assert energy.within(power, 80.0, None) == power
    none = energy.within(power, 320.0, 180.0)
    assert none.energy_s == 0
    assert none.reason == "measuring it takes 320 s, more than half of --budget 180s"


def test_a_run_asks_for_power_until_the_plan_has_its_passes() -> None:
    plan = handmade.plan(sampling={**SAMPLING, "energy_blocks": 1})
    asked = [requests.of(handmade.FP32, plan, Elsewhere(), made) for made in (0, 1)]  # type: ignore[arg-type]
    assert [(one["energy_s"], one["idle_s"]) for one in asked] == [(60, 20), (0, None)]
    always = handmade.plan(sampling=SAMPLING)
    assert requests.of(handmade.FP32, always, Elsewhere(), 9)["energy_s"] == 60  # type: ignore[arg-type]


SAMPLING = {"run": {}, "anchor": {}, "energy_s": 60, "idle_s": 20, "timeout_s": 9}


def test_a_pass_that_gave_nothing_was_made_too() -> None:
    assert energy.was_made({"power": {"power_w": 3.0}})
    assert energy.was_made({"power": {"reason": "no power sensor found"}})
    assert not energy.was_made({"power": {"reason": "not asked for"}})
    assert not energy.was_made({})


@pytest.mark.parametrize(
    ("first_s", "paid"), [(None, False), (0.4, False), (80.6, True)], ids=["new", "bare", "metered"]
)
def test_a_long_pass_that_earlier_runs_include_is_planned_for_once(
    tmp_path: Path, first_s: float | None, paid: bool
) -> None:
    plan = handmade.plan()
    cases = plan.cases
    known = {case.key: pace.Effort(start_s=1.0, first_s=first_s or 0.0) for case in cases}
    asked = preparing.Request(
        choice=Choice(suite="s"),
        options=ModelOptions(),
        cache=tmp_path,
        command=("run",),
        harness_version="0",
        known=known if first_s is not None else {},
        place=Reachable(name="b", address="b@192.0.2.7", meter=WALL),
    )
    suite = Suite(name="s", title="s", question="?", models=("m",), groups=())
    found = preparing.Outline(
        suite=suite, device="d", identity={}, points=(), runtimes={}, sources={}
    )
    order = (tuple(case.key for case in cases),)
    made = preparing._sampling(asked, found, cases, order)
    rest = preparing._sampling(msgspec.structs.replace(asked, place=None), found, cases, order)
    extra_s = made["planned_s"] - rest["planned_s"]
    assert extra_s == pytest.approx(0.0 if paid else 80.0 * len(cases))
    assert (made["energy_s"], made["idle_s"], made["energy_blocks"]) == (60.0, 20.0, 1)
