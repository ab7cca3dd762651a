"""This machine: the same agent as on a board, as a subprocess of any interpreter here."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import DeviceError
from harness.transport.dialogue import Dialogue
from harness.transport.package import cached_agent
from harness.types import Json


class LocalTransport:
    """One supervisor on this machine; it sleeps in a read between requests, and so do we."""

    def __init__(self, cache: Path, interpreter: str = sys.executable) -> None:
        """Start the agent under `interpreter`; DeviceError when that cannot be done."""
        agent = cached_agent(cache)
        log = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the agent
        try:
            process = subprocess.Popen(
                [interpreter, str(agent)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            log.close()
            raise DeviceError(f"cannot start {interpreter}: {error.strerror}") from error
        self.process = process
        self._agent = Dialogue(process, f"the agent under {interpreter}", log)

    def identify(self) -> Json:
        """Return what the agent says this machine is."""
        identity: Json = self._agent.last({"op": "identify"}, 60.0)["identity"]
        return identity

    def probe(self, backend: str) -> Json:
        """Import the runtime in a child; return its status, reason and result."""
        return self._agent.last({"op": "probe", "backend": backend, "timeout_s": 120}, 120.0)

    def put(self, files: Sequence[Path]) -> list[str]:
        """Return where the files are for the agent: here they are where they are."""
        return [str(file) for file in files]

    def run(self, request: Json) -> Iterator[Json]:
        """Send one run; yield its events, the last of which is "finished"."""
        return self._agent.events(request, float(request.get("timeout_s", 300.0)))

    def close(self) -> None:
        """End the agent, with the run that may still go on, and wait for it."""
        self._agent.close()
