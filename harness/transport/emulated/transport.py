"""The way to an agent that runs as another board's processor; it hears and tells no time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from devices.schema import Device
from harness.errors import DeviceError
from harness.transport.dialogue import Dialogue
from harness.transport.emulated import agreement, enclosure, timeless, tree
from harness.transport.emulated.recipe import PYTHON, RUNTIMES
from harness.transport.package import cached_agent
from harness.types import Json

_PROBE_S = 600.0


class Native(Protocol):
    """What is needed of a transport to this host: the same run without an emulator."""

    def run(self, request: Json) -> Iterator[Json]:
        """Send one run; yield its events."""

    def close(self) -> None:
        """End its agent."""


class Emulation(msgspec.Struct, frozen=True, kw_only=True):
    """A board to emulate: its profile, the root it sees, the processor that QEMU plays.

    `system` says in words what the root is, `cache` is where it may keep files while it runs.
    """

    device: Device
    root: Path
    emulator: enclosure.Emulator
    system: str
    cache: Path


class EmulatedTransport:
    """One agent in an emulated root, with a folder that it shares with the desk."""

    def __init__(self, emulation: Emulation, native: Callable[[str], Native]) -> None:
        """Start the agent; `native(backend)` gives the transport to the same runtime here.

        Raises UsageError where mounts are not allowed, DeviceError where the agent does not start.
        """
        self._emulation = emulation
        self._native = native
        self._shelf = _Shelf(emulation.cache / "roots" / "shared")
        try:
            self._log = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the agent
            self._dialogue = Dialogue(self._start(), self._name, self._log)
        except BaseException:
            self._shelf.close()
            raise

    @property
    def _name(self) -> str:
        return f"the agent on an emulated {self._emulation.device.title}"

    def _start(self) -> subprocess.Popen[bytes]:
        emulation = self._emulation
        tree.write(emulation.device, self._shelf.board)
        agent = self._shelf.take([cached_agent(emulation.cache)])[0]
        places = enclosure.Places(
            root=emulation.root, board=self._shelf.board, exchange=self._shelf.exchange
        )
        words = enclosure.command(places, emulation.emulator, (PYTHON, agent))
        try:
            return subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                bufsize=0,
                env=enclosure.ENVIRONMENT,
                start_new_session=True,
            )
        except OSError as error:
            raise DeviceError(f"cannot start {words[0]}: {error.strerror}") from error

    def identify(self) -> Json:
        """Return what the board shows of itself, and by what it is emulated under "emulated"."""
        told = self._dialogue.last({"op": "identify", "root": enclosure.BOARD}, _PROBE_S)
        identity: Json = told["identity"]
        emulator = self._emulation.emulator
        return identity | {
            "emulated": {
                "cpu_model": emulator.cpu,
                "qemu": emulator.version,
                "system": self._emulation.system,
            }
        }

    def probe(self, backend: str) -> Json:
        """Import the runtime in a child under the emulator; return status, reason and result."""
        request = {"op": "probe", "backend": backend, "timeout_s": _PROBE_S}
        found = timeless.answer(self._dialogue.last(self._through(request), _PROBE_S))
        if found["status"] == "skipped" and backend != "null" and backend not in RUNTIMES:
            found["reason"] = f"{backend} is not in the emulated root"
        # What is missing here is not mended by installing it on this host.
        return self._explained(found) | {"install": ""}

    def put(self, files: Sequence[Path]) -> list[str]:
        """Bring the files into one folder of the emulated board; return where they are there."""
        return self._shelf.take(files)

    def run(self, request: Json) -> Iterator[Json]:
        """Send one run; yield its events, the last of which is "finished", without any time.

        Where outputs are asked for, result["native"] tells how far they are from those that the
        same artifact and runtime give on this host.
        """
        wanted = request.get("evaluate")
        asked = self._through(request)
        if wanted:
            inputs = self._shelf.take([Path(wanted["inputs"])])[0]
            asked["evaluate"] = {"inputs": inputs, "outputs": f"{enclosure.EXCHANGE}/outputs.npz"}
        for event in self._dialogue.events(asked, float(request.get("timeout_s", 300.0))):
            if event["event"] != "finished":
                yield event
                continue
            found = self._explained(timeless.answer(event))
            if wanted and found["status"] == "ok":
                self._fetch(Path(wanted["outputs"]))
                found["result"]["native"] = self._compared(request)
            yield found

    def close(self) -> None:
        """End the agent and what it runs; nothing of it stays mounted or on disk."""
        self._dialogue.close()
        self._shelf.close()

    def _through(self, request: Json) -> Json:
        return {**request, "through": list(self._emulation.emulator.words)}

    def _explained(self, answer: Json) -> Json:
        emulation = self._emulation
        return timeless.explained(answer, emulation.device.title, emulation.emulator.cpu)

    def _fetch(self, outputs: Path) -> None:
        """Move the outputs to where the desk wants them; a link that was left there is none."""
        left = self._shelf.exchange / "outputs.npz"
        if left.is_symlink():
            raise DeviceError(f"{self._name} left a link in place of its outputs")
        try:
            shutil.move(left, outputs)
        except OSError as error:
            raise DeviceError(f"{self._name} left no outputs: {error.strerror}") from error

    def _compared(self, request: Json) -> Json:
        """Run the same on this host and return how far the outputs are from each other.

        `peak_rss_bytes` is what the same took here, without an emulator, on another architecture.
        """
        here = self._shelf.private / "native.npz"
        same = {**self._shelf.local(request), "energy_s": 0, "through": []}
        same["evaluate"] = {"inputs": request["evaluate"]["inputs"], "outputs": str(here)}
        try:
            transport = self._native(request["backend"])
        except DeviceError as error:
            return {"reason": f"natively it did not run: {error.message}"}
        try:
            *_, answer = transport.run(same)
            if answer["status"] != "ok":
                return {"reason": f"natively it did not run: {answer['reason']}"}
            found = agreement.compare(Path(request["evaluate"]["outputs"]), here)
            result = answer["result"]
            return found | {
                "runtime_version": (result.get("runtime") or {}).get("version"),
                "peak_rss_bytes": result.get("peak_rss_bytes"),
            }
        except DeviceError as error:
            return {"reason": f"natively it did not run: {error.message}"}
        finally:
            transport.close()
            here.unlink(missing_ok=True)


class _Shelf:
    """The folders of one agent: what it shares with the desk, what the board shows of itself.

    They lie on the disk of the cache. Those whose owner died are removed by the next.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        with _locked(parent):
            _sweep(parent)
            self.private = Path(tempfile.mkdtemp(dir=parent))
            self._held = os.open(self.private, os.O_RDONLY)
            fcntl.flock(self._held, fcntl.LOCK_EX)
        self.board, self.exchange = self.private / "board", self.private / "exchange"
        self.board.mkdir()
        self.exchange.mkdir()
        self._taken: dict[tuple[Path, ...], list[str]] = {}
        self._origins: dict[str, str] = {}

    def take(self, files: Sequence[Path]) -> list[str]:
        """Link or copy files into a folder of their own; return their paths in the root."""
        key = tuple(files)
        if key not in self._taken:
            folder = self.exchange / str(len(self._taken))
            folder.mkdir()
            for path in files:
                # A copy: the emulated program may write there, the cached artifact must not change.
                shutil.copyfile(path, folder / path.name)
            there = [f"{enclosure.EXCHANGE}/{folder.name}/{path.name}" for path in files]
            self._taken[key] = there
            self._origins |= dict(zip(there, map(str, files), strict=True))
        return self._taken[key]

    def local(self, request: Json) -> Json:
        """Return a request with the paths that its files have here."""
        sums = request.get("sha256s") or {}
        return {
            **request,
            "artifact": self._origins.get(request["artifact"], request["artifact"]),
            "sha256s": {self._origins.get(path, path): digest for path, digest in sums.items()},
        }

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.private, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._held)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep others from sweeping a folder between its making and its owner's hold on it."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _sweep(parent: Path) -> None:
    """Remove the folders of owners that died."""
    for folder in parent.iterdir():
        with contextlib.suppress(OSError):
            held = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)
