"""Reads a meter at its own rate between `start` and `stop`, in a thread that is gone otherwise."""

from __future__ import annotations

import threading
import time

from devices.lab import Meter
from harness.stats.energy import Sample
from harness.transport.meters import Gap, read
from harness.transport.meters.fetch import TIMEOUT_S


class Sampler:
    """The readings of one meter over one stretch of time, on the clock of `time.monotonic`.

    `samples` are those that came, each at the middle of its read; `missed` counts the reads that
    failed and `reason` says why the last of them did.
    """

    def __init__(self, meter: Meter, period_s: float) -> None:
        """Read `meter` every `period_s` seconds; nothing is read yet."""
        self.samples: list[Sample] = []
        self.missed = 0
        self.reason: str | None = None
        self._meter = meter
        self._period_s = period_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read_on, daemon=True, name="power meter")

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End it; a read that is under way is waited for, but not for longer than it may take."""
        self._over.set()
        self._thread.join(TIMEOUT_S + 1.0)

    def _read_on(self) -> None:
        due_s = time.monotonic()
        while not self._over.wait(max(0.0, due_s - time.monotonic())):
            self._read()
            # A slow answer costs the reads that were due meanwhile; they are not made up for.
            now_s = time.monotonic()
            due_s += self._period_s * max(1, -(-(now_s - due_s) // self._period_s))

    def _read(self) -> None:
        begin_s = time.monotonic()
        try:
            reading = read(self._meter)
        except Gap as gap:
            self.missed += 1
            self.reason = str(gap)
            return
        at_s = (begin_s + time.monotonic()) / 2
        self.samples.append(Sample(at_s, reading.power_w, reading.energy_wh))
