"""Does a board answer: connect, authenticate, leave. Nothing is uploaded, no agent is started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile

from harness.errors import BoardLost
from harness.transport.dialogue import Gone
from harness.transport.ssh.connection import Connection
from harness.transport.ssh.failures import explained
from harness.transport.ssh.place import Place


def answers(place: Place, timeout_s: float) -> None:
    """Return once the board has let us in; DeviceError says why it did not within `timeout_s`."""
    connection = Connection(place)
    with tempfile.TemporaryFile() as log:
        process = connection.start("exit", log)
        try:
            # The pipes hold nothing: `exit` reads and writes nothing.
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise BoardLost(
                f"board {place.name!r} does not answer within {timeout_s:g} s",
                "check that it is on and on the network",
            ) from error
        finally:
            _end(process)
            connection.ended()
        if status:
            log.seek(0)
            words = log.read().decode("utf-8", "replace").strip()
            raise explained(place, Gone("it left", words), status, "exit")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End ssh, and a proxy that it may have started: both are in a group of their own."""
    with contextlib.suppress(ProcessLookupError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
