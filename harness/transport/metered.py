"""A way to a board whose power an external meter shows: the desk reads it while the board works.

The agent makes its energy pass and says when each part of it begins and ends; in between the desk
reads the meter. At all other times nothing is read, so that no latency is taken beside it; except
in a soak, which is watched anyway and wants its power over time.

    result["power"]        the external meter's figures, method "external", with the same keys as
                           the board's own and `integration` (counter or trapezoid)
    result["power_board"]  what the board's own sensor says of the same pass
    result["watch_external"]  of a soak: the meter over time, {"t_s" from the first call, "power_w",
                           "source", "scope", "missed"}

The meter comes first because somebody put it there: it sees the whole board, and boards with and
without a sensor of their own are compared by the same. Where it fails, `power` is empty with the
reason, never the board's own figure: a row must not mix what two scopes say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from devices.lab import PASS_S, Meter
from harness.stats import energy
from harness.stats.readings import number, section, whole
from harness.transport.meters.sampler import Sampler
from harness.types import Json

# Ten readings are needed; two more for the edges and one that fails.
_READS = 13
_MARKS = ("idle_begin", "idle_end", "energy_begin", "energy_end")


class Inner(Protocol):
    """The way to the board that is metered."""

    def identify(self) -> Json:
        """Return what the agent says the board is."""

    def probe(self, backend: str) -> Json:
        """Import a runtime in a child and return how that went."""

    def put(self, files: Sequence[Path]) -> list[str]:
        """Bring an artifact's files to the board; return where they are there."""

    def run(self, request: Json) -> Iterator[Json]:
        """Send one run; yield its events."""

    def close(self) -> None:
        """End the agent."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often a meter is read, and how long the pass and the rest before it are at least."""

    period_s: float
    energy_s: float
    idle_s: float


def pace_of(meter: Meter) -> Pace:
    """Return the meter's own rate, and the usual lengths for its scope."""
    energy_s, idle_s = PASS_S[meter.scope]
    return Pace(period_s=meter.period_s, energy_s=energy_s, idle_s=idle_s)


class MeteredTransport:
    """A transport and the meter of the board behind it."""

    def __init__(self, inner: Inner, meter: Meter, pace: Pace | None = None) -> None:
        """Take over the way to the board; its `close` is ours from here on."""
        self._inner = inner
        self._meter = meter
        self._pace = pace or pace_of(meter)

    def identify(self) -> Json:
        """Return what the agent says the board is."""
        return self._inner.identify()

    def probe(self, backend: str) -> Json:
        """Import a runtime in a child and return how that went."""
        return self._inner.probe(backend)

    def put(self, files: Sequence[Path]) -> list[str]:
        """Bring an artifact's files to the board; return where they are there."""
        return self._inner.put(files)

    def close(self) -> None:
        """End the agent."""
        self._inner.close()

    def run(self, request: Json) -> Iterator[Json]:
        """Send one run, metered where it asks for energy or is a soak; yield its events."""
        listeners: list[_Pass | _Soak] = []
        if section(request, "sampling").get("soak"):
            listeners.append(_Soak(self._meter, self._pace.period_s))
        if request.get("energy_s"):
            listeners.append(_Pass(self._meter, self._pace.period_s))
            request = _lengthened(request, self._pace)
        try:
            for event in self._inner.run(request):
                yield _through(listeners, event)
        finally:
            for listener in listeners:
                listener.end()


def _lengthened(request: Json, pace: Pace) -> Json:
    """Return the request with a pass that is long enough for the meter, and time for it."""
    least_s = _READS * pace.period_s
    energy_s = max(request["energy_s"], pace.energy_s, least_s)
    idle_s = max(request.get("idle_s") or 0.0, pace.idle_s, least_s)
    more_s = energy_s + idle_s - request["energy_s"] - (request.get("idle_s") or 0.0)
    timeout_s = request.get("timeout_s", 300) + more_s
    changed = {"energy_s": energy_s, "idle_s": idle_s, "timeout_s": timeout_s}
    return {**request, **changed, "external_meter": True}


def _through(listeners: Sequence[_Pass | _Soak], event: Json) -> Json:
    """Return the event with what each listener has to add to the last one."""
    for listener in listeners:
        listener.hear(event)
        if event["event"] == "finished":
            event = listener.told(event)
    return event


class _Soak:
    """The timed phase of a soak: from the first inference to the last sample."""

    def __init__(self, meter: Meter, period_s: float) -> None:
        self._meter = meter
        self._sampler = Sampler(meter, period_s)
        self._began_s: float | None = None

    def hear(self, event: Json) -> None:
        """Read from the phase before the samples to the one after them."""
        if event.get("name") == "first" and self._began_s is None:
            self._began_s = time.monotonic()
            self._sampler.start()
        elif event.get("name") == "steady" or event["event"] == "finished":
            self.end()

    def end(self) -> None:
        """Read no more."""
        if self._began_s is not None:
            self._sampler.stop()

    def told(self, event: Json) -> Json:
        """Return the last event with the meter's readings since the first timed call in it.

        Before that call came the fixed warm-up; the board's own clock is not ours.
        """
        if self._began_s is None:
            return event
        result = section(event, "result")
        calls = whole(result, "fixed_warmup_calls") or 0
        warmup_ns = sum(result.get("warmup_ns", [])[:calls])
        begin_s = self._began_s + warmup_ns / 1e9
        mine = [sample for sample in self._sampler.samples if sample.at_s >= begin_s]
        found = {
            "t_s": [sample.at_s - begin_s for sample in mine],
            "power_w": [sample.power_w for sample in mine],
            "source": self._meter.kind,
            "scope": self._meter.scope,
            "missed": self._sampler.missed,
            "reason": self._sampler.reason,
        }
        return {**event, "result": {**result, "watch_external": found}}


class _Pass:
    """The energy pass of one run: when its parts began and ended, and the meter meanwhile."""

    def __init__(self, meter: Meter, period_s: float) -> None:
        self._meter = meter
        self._period_s = period_s
        self._sampler: Sampler | None = None
        self._marks: dict[str, float] = {}
        self._done: Json = {}

    def hear(self, event: Json) -> None:
        """Note a mark of the agent; the first of them starts the reading, the last ends it."""
        name = event.get("name")
        if event["event"] == "finished":
            self.end()
        elif name in _MARKS:
            self._marks[name] = time.monotonic()
            if self._sampler is None:
                self._sampler = Sampler(self._meter, self._period_s)
                self._sampler.start()
            if name == "energy_end":
                self._done = event
                self.end()

    def end(self) -> None:
        """Read no more."""
        if self._sampler is not None:
            self._sampler.stop()

    def told(self, event: Json) -> Json:
        """Return the last event with the meter's figures in it."""
        result = section(event, "result")
        power = self._facts() | self._figures()
        return {**event, "result": {**result, "power": power, "power_board": result.get("power")}}

    def _facts(self) -> Json:
        return {
            "name": f"{self._meter.kind} meter",
            "method": "external",
            "scope": self._meter.scope,
            "source": self._meter.kind,
            "period_s": self._period_s,
        }

    def _figures(self) -> Json:
        """Return energy and power of the pass, gross and net of what the board takes at rest."""
        begin_s, end_s = self._marks.get("energy_begin"), self._marks.get("energy_end")
        if self._sampler is None or begin_s is None or end_s is None:
            return {"energy_j": None, "reason": "the board made no energy pass to its end"}
        found = energy.over(self._sampler.samples, begin_s, end_s, self._period_s)
        figures: Json = msgspec.to_builtins(found)
        figures["missed"] = self._sampler.missed
        if found.reason and self._sampler.reason:
            last = f"{self._sampler.missed} reads failed, the last because {self._sampler.reason}"
            figures["reason"] = f"{found.reason}; {last}"
        figures["series"] = self._series(begin_s, end_s)
        figures |= self._idle()
        return figures | _per_inference(figures, self._done)

    def _series(self, begin_s: float, end_s: float) -> Json:
        mine = energy.inside(self._sampler.samples if self._sampler else (), begin_s, end_s)
        return {"t_ns": [round(s.at_s * 1e9) for s in mine], "w": [s.power_w for s in mine]}

    def _idle(self) -> Json:
        """Return what the meter showed while the board rested with the model loaded."""
        begin_s, end_s = self._marks.get("idle_begin"), self._marks.get("idle_end")
        if self._sampler is None or begin_s is None or end_s is None:
            return {"idle_w": None, "idle_reason": "the board did not rest before the pass"}
        rest = energy.level(self._sampler.samples, begin_s, end_s)
        found: Json = {"idle_w": rest.mean_w, "idle_sd_w": rest.sd_w, "idle_n": rest.n}
        return found | ({"idle_reason": rest.reason} if rest.reason else {})


def _per_inference(figures: Json, done: Json) -> Json:
    """Return mean power and joules per inference, gross, and net where the idle power is known."""
    inferences, wall_s = whole(done, "inferences"), number(done, "wall_s")
    found: Json = {"inferences": inferences, "workload_wall_s": wall_s}
    if figures["energy_j"] is None or not inferences or not wall_s:
        return found
    power_w, idle_w = figures["energy_j"] / figures["window_s"], figures["idle_w"]
    found["power_w"] = power_w
    found["energy_per_inference_j"] = power_w * wall_s / inferences
    if idle_w is not None:
        found["net_energy_per_inference_j"] = (power_w - idle_w) * wall_s / inferences
    return found
