"""One agent on a board, under one interpreter there: started, brought its files, asked."""

from __future__ import annotations

import functools
import hashlib
import inspect
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from devices import address
from harness.agent import arrive
from harness.errors import BoardLost, DeviceError
from harness.transport.dialogue import Dialogue, Gone
from harness.transport.package import agent_bytes
from harness.transport.ssh import failures
from harness.transport.ssh.cargo import Cargo
from harness.transport.ssh.connection import Connection
from harness.types import Json

# The whole of what the board's login shell reads, but for the interpreter: the program that takes
# the agent in comes over stdin. Python 2 must be able to read it too, to say that it is too old.
# What lies in the home folder, where this starts, must not stand in for the standard library.
_BOOTSTRAP = (
    "import sys; sys.version_info < (3, 6) and sys.exit("
    f'"{failures.TOO_OLD}, this is %d.%d" % sys.version_info[:2]); '
    "sys.path = [path for path in sys.path if path]; f = sys.stdin.buffer; "
    'exec(compile(f.read(int(f.readline())), "arrive", "exec"))'
)
_ARRIVE_S = 30.0
_IDENTIFY_S = 60.0
_PROBE_S = 120.0
# A connection that was silent for so long may be dead without either side knowing.
_SILENCE_S = 60.0
_PING_S = 20.0


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One command of this desk, as a board knows it: a word of its own, and what to call it."""

    token: str
    what: str


class SshTransport:
    """One agent on a board; a connection that died in silence is opened anew before it is used."""

    def __init__(self, connection: Connection, interpreter: str, session: Session) -> None:
        """Start the agent; BoardLost where the board is out of reach, DeviceError for the rest."""
        self._connection = connection
        self._interpreter = interpreter
        self._session = session
        self._talk: Dialogue | None = None
        self._arrived = False
        self._open()

    def identify(self) -> Json:
        """Return what the agent says the board is."""
        identity: Json = self._ask({"op": "identify"}, _IDENTIFY_S)["identity"]
        return identity

    def probe(self, backend: str) -> Json:
        """Import the runtime in a child; return its status, reason and result."""
        return self._ask({"op": "probe", "backend": backend, "timeout_s": _PROBE_S}, _PROBE_S)

    def put(self, files: Sequence[Path]) -> list[str]:
        """Bring an artifact's files to the board unless they are there; return where they are."""
        self._awake()
        return self._cargo.put(files)

    def run(self, request: Json) -> Iterator[Json]:
        """Send one run; yield its events; the outputs are here before the last one is."""
        name = None
        if evaluate := request.get("evaluate"):
            here = Path(evaluate["outputs"])
            name = f"{secrets.token_hex(8)}.npz"
            inputs = self.put([Path(evaluate["inputs"])])[0]
            there = {"inputs": inputs, "outputs": f"{self._outputs}/{name}"}
            request = {**request, "evaluate": there}
        for event in self._events(request, float(request.get("timeout_s", 300.0))):
            if name and event["event"] == "finished" and "evaluated" in event["result"]:
                self._cargo.fetch(name, here)
            yield event

    def close(self) -> None:
        """End the agent, with the run that may still go on."""
        if self._talk is not None:
            self._talk.close(patience_s=2.0)
            self._talk = None
            self._connection.ended()

    def _ask(self, request: Json, timeout_s: float, payload: bytes = b"") -> Json:
        *_, last = self._events(request, timeout_s, payload)
        return last

    def _events(self, request: Json, timeout_s: float, payload: bytes = b"") -> Iterator[Json]:
        self._awake()
        yield from self._told(request, timeout_s, payload)

    def _awake(self) -> None:
        """See that there is an agent: one that was left alone for long is asked for a sign."""
        if self._talk is None or self._epoch != self._connection.epoch:
            self._again()
        elif time.monotonic() - self._heard > _SILENCE_S:
            try:
                self._last({"op": "ping"}, _PING_S)
            except BoardLost:
                self._again()

    def _again(self) -> None:
        self.close()
        self._open()

    def _open(self) -> None:
        """Start the agent: one exchange where the board has it, two where it has to be brought."""
        agent, digest = _agent()
        log = tempfile.TemporaryFile()  # noqa: SIM115  the dialogue's to close
        try:
            process = self._connection.start(command(self._interpreter), log)
        except DeviceError:
            log.close()
            raise
        self._epoch = self._connection.epoch
        self._arrived = False
        self._process = process
        self._talk = Dialogue(process, f"the agent under {self._interpreter}", log, noise=64)
        self._heard = time.monotonic()
        request = {
            "op": "arrive",
            "sha256": digest,
            "token": self._session.token,
            "what": self._session.what,
            "epoch": self._epoch,
            "interpreter": self._interpreter,
            "cache_limit_bytes": self._connection.place.cache_limit_bytes,
        }
        try:
            self._talk.begin(_program())
            answer = self._last(request, _ARRIVE_S)
            if answer.get("missing"):
                bring = {"op": "agent", "bytes": len(agent)}
                answer = self._last(bring, _ARRIVE_S, agent)
            if "refused" in answer:
                name = self._connection.place.name
                raise DeviceError(f"board {name!r}: {answer['refused']}", answer.get("advice"))
        except DeviceError:
            self.close()
            raise
        name = self._connection.place.name
        if not isinstance(answer.get("outputs"), str):
            self.close()
            raise DeviceError(f"board {name!r} does not answer like an agent")
        self._arrived = True
        self._outputs = answer["outputs"]
        self._cargo = Cargo(self._told, name)

    def _last(self, request: Json, timeout_s: float, payload: bytes = b"") -> Json:
        *_, last = self._told(request, timeout_s, payload)
        return last

    def _told(self, request: Json, timeout_s: float, payload: bytes = b"") -> Iterator[Json]:
        """Yield the events of a request over the talk that there is; explain how it ended."""
        talk = self._talk
        if talk is None:
            raise BoardLost(f"board {self._connection.place.name!r} is not connected")
        try:
            for event in talk.events(request, timeout_s, payload):
                self._heard = time.monotonic()
                yield event
        except Gone as gone:
            error = failures.explained(
                self._connection.place, gone, self._status(), self._interpreter, self._arrived
            )
            if isinstance(error, BoardLost):
                self._connection.drop()
            raise error from gone

    def _status(self) -> int | None:
        """Return ssh's exit status, None where it still runs."""
        try:
            return self._process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            return None


def command(interpreter: str) -> str:
    """Return what the board's login shell is to carry out; UsageError for more than a path."""
    return f"exec {address.path(interpreter)} -u -c '{_BOOTSTRAP}'"


@functools.cache
def _agent() -> tuple[bytes, str]:
    """Return the agent and its digest."""
    packed = agent_bytes()
    return packed, hashlib.sha256(packed).hexdigest()


@functools.cache
def _program() -> bytes:
    """Return the first program's text behind the line that says how long it is."""
    text = inspect.getsource(arrive).encode()
    return b"%d\n%s" % (len(text), text)
