"""The talk with one agent: requests as JSON lines on its stdin, events on its stdout."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from typing import IO, cast

from harness.errors import DeviceError
from harness.transport import answers
from harness.types import Json

# On top of a request's own time-out: what the supervisor may need to end and bury the child.
GRACE_S = 30.0
# A million durations are a line of twelve megabytes.
_LONGEST_BYTES = 2**26
_LAST_BYTES = 4096


class Gone(DeviceError):
    """The agent ended, or says nothing any more; `words` is the end of what it wrote to stderr."""

    def __init__(self, message: str, words: str = "") -> None:
        """Keep the last words: what carries the talk may have said why it ended."""
        super().__init__(message)
        self.words = words


class Dialogue:
    """One agent process, asked one thing at a time; both sides sleep in a read in between."""

    def __init__(
        self, process: subprocess.Popen[bytes], name: str, log: IO[bytes], noise: int = 0
    ) -> None:
        """Take a process with pipes for stdin and stdout, and the file that its stderr goes to.

        `name` is what it is called in sentences, `noise` how many lines that are none of the
        agent's may come before its first: a login shell may greet. Process and file are the
        dialogue's to close.
        """
        # Both were asked for as pipes, so Popen made them.
        self._requests = cast(IO[bytes], process.stdin)
        self._answers = cast(IO[bytes], process.stdout)
        self._process = process
        self._log = log
        self._ids = itertools.count(1)
        self._pending = b""
        self._noise = noise
        self.name = name
        os.set_blocking(self._requests.fileno(), False)

    def last(self, request: Json, timeout_s: float, payload: bytes = b"") -> Json:
        """Send a request and, behind its line, `payload`; return its last event.

        Raises Gone where the agent ended or is silent for longer than `timeout_s` (and a grace),
        DeviceError where it answers something else.
        """
        *_, last = self.events(request, timeout_s, payload)
        return last

    def events(self, request: Json, timeout_s: float, payload: bytes = b"") -> Iterator[Json]:
        """Send a request as `last` does; yield its events, the last of which is "finished"."""
        identifier = next(self._ids)
        line = json.dumps({**request, "id": identifier}).encode() + b"\n"
        self._write(line + payload, timeout_s + GRACE_S)
        while True:
            event = self._decode(self._read_line(timeout_s + GRACE_S))
            if event is None or event.get("id") != identifier:
                continue  # a greeting, or the tail of a request that was abandoned
            self._noise = 0
            if event["event"] == "finished":
                if clause := answers.wrong(request["op"], event):
                    raise DeviceError(f"{self.name} gives an answer of no use: {clause}")
                yield event
                return
            yield event

    def begin(self, data: bytes) -> None:
        """Send what is no request, before the first one."""
        self._write(data, GRACE_S)

    def close(self, patience_s: float = 0.0) -> None:
        """End the agent, with the run that may still go on, and wait for it.

        For `patience_s` it may end by itself, now that its input has.
        """
        with contextlib.suppress(OSError):
            self._requests.close()
        if not self._over(patience_s):
            self._process.terminate()
        if not self._over(5.0):
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._log.close()

    def last_words(self) -> str:
        """Return the end of what the process wrote to its stderr."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LAST_BYTES))
        return self._log.read(_LAST_BYTES).decode(errors="replace").strip()

    def _write(self, data: bytes, timeout_s: float) -> None:
        left = memoryview(data)
        deadline = time.monotonic() + timeout_s
        # One that is gone already cannot be written to; what it said before tells more than that.
        with contextlib.suppress(OSError):
            while left:
                left_s = max(0.0, deadline - time.monotonic())
                _, ready, _ = select.select([], [self._requests], [], left_s)
                if not ready:
                    raise self._gone(f"did not take a request within {timeout_s:.0f} s")
                left = left[os.write(self._requests.fileno(), left) :]

    def _over(self, timeout_s: float) -> bool:
        try:
            self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _decode(self, line: bytes) -> Json | None:
        """Return the event in `line`, None for noise; else it is no agent that answers."""
        event = answers.event(line)
        if event is None and self._noise:
            self._noise -= 1
        elif event is None:
            told = line[:80].decode(errors="replace").strip()
            raise DeviceError(f"{self.name} does not answer like an agent: {told!r}")
        return event

    def _read_line(self, timeout_s: float) -> bytes:
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self._answers], [], [], timeout_s)
            data = os.read(self._answers.fileno(), 1 << 20) if ready else None
            if not ready:
                raise self._gone(f"did not answer within {timeout_s:.0f} s")
            if not data:
                raise self._gone("ended unexpectedly")
            self._pending += data
            if len(self._pending) > _LONGEST_BYTES:
                raise DeviceError(f"{self.name} does not answer like an agent: it never ends")
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _gone(self, how: str) -> Gone:
        words = self.last_words()
        told = f": {words.splitlines()[-1].strip()[:200]}" if words else ""
        return Gone(f"{self.name} {how}{told}", words)
