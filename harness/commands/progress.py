"""How a session goes, on stderr: one moving line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import shutil
import statistics
import sys
import time

from harness import units
from harness.plan.doctor import preflight
from harness.types import Case, Run, SessionPlan
from suites.build import BuildEvent

# Where nobody watches a line move, say something at most this often while all goes well.
_QUIET_S = 10.0


class Progress:
    """Tells what is built and measured, and how long it will still take."""

    def __init__(self, quiet: bool = False) -> None:
        """Stay silent when `quiet`, but for failed runs."""
        self._quiet = quiet
        self._moving = sys.stderr.isatty() and not quiet
        self._last_said = 0.0

    def say(self, text: str) -> None:
        """Print one line that stays."""
        if not self._quiet:
            self._clear()
            tell(f"{text}\n")

    def warn(self, plan: SessionPlan) -> None:
        """Say what about the machine costs precision, before anything is measured."""
        for line in preflight(plan.environment):
            self.say(f"warning: {line}")

    def built(self, event: BuildEvent) -> None:
        """Tell of a build step that really ran; skipped ones say why."""
        what = " ".join(word for word in (event.model, event.variant, event.format) if word)
        if event.kind == "start":
            self._move(f"building {what} ({event.done + 1} of {event.total})")
        elif event.kind == "done":
            self.say(f"built {what} in {event.seconds:.1f} s")
        else:
            self.say(f"{event.kind} {what}: {event.reason}")

    def starts(self, case: Case, done: int, total: int, remaining_s: float | None) -> None:
        """Tell which run starts and what is left."""
        left = f", about {minutes(remaining_s)} left" if remaining_s is not None else ""
        text = f"run {done + 1} of {total}{left}: {case.label}"
        if self._moving:
            self._move(text)
        elif time.monotonic() - self._last_said > _QUIET_S:
            self._last_said = time.monotonic()
            self.say(text)

    def finished(self, case: Case, run: Run) -> None:
        """Tell of a run that did not work; the others only move the line."""
        if run.status != "ok":
            self._clear()
            tell(f"{run.status}: {case.label}: {run.reason}\n")
        elif self._moving:
            middle = statistics.median(run.samples_ns) / 1e9 if run.samples_ns else None
            self._move(f"{case.label}: {units.show(middle, 's')}")

    def ends(self) -> None:
        """Leave the terminal with a clean line."""
        self._clear()

    def _move(self, text: str) -> None:
        if self._moving:
            # a line that wraps could not be cleared again
            width = shutil.get_terminal_size().columns - 1
            tell(f"\r\033[K{text[:width]}")

    def _clear(self) -> None:
        if self._moving:
            tell("\r\033[K")


def tell(text: str) -> None:
    """Write to stderr; that its reader left ends no measurement and changes no exit code."""
    with contextlib.suppress(BrokenPipeError):
        print(text, end="", file=sys.stderr, flush=True)


def minutes(seconds: float) -> str:
    """Return a duration as a person says it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
