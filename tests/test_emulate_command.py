"""What --emulate refuses: words about time, of which an emulated board has none."""

from __future__ import annotations

import argparse

import pytest

from harness.commands import emulate
from harness.commands import run as measuring
from harness.errors import UsageError


@pytest.mark.parametrize(
    ("name", "value"), [("soak", "10m"), ("budget", "3m"), ("sample", "3m"), ("lab", "lab.toml")]
)
def test_words_about_time_or_place_are_refused(name: str, value: str) -> None:
    parser = argparse.ArgumentParser()
    measuring.prepare(parser)
    args = parser.parse_args(["--device", "n5105", "--emulate", f"--{name}", value])
    with pytest.raises(UsageError, match=f"leave --{name} out"):
        emulate.measure(args)
