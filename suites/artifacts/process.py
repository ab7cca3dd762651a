"""Start build workers and listen to them: one that dies, hangs or is killed becomes a reason."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from harness.types import Json

LARGEST_MESSAGE_BYTES = 16 << 20
ROOT = Path(__file__).resolve().parents[1]
# what a toolchain may see of the environment: paths, locale, hub and proxy settings
PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "XDG_CACHE_HOME", "HF_HOME", "HF_TOKEN", "HF_HUB_OFFLINE", "http_proxy", "https_proxy",
    "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
)  # fmt: skip


class WorkerDied(Exception):
    """A build worker ended before its last message; the text says how."""


class Crew:
    """The build workers alive at the moment; `stop` ends them all."""

    def __init__(self, threads: int) -> None:
        """Give each worker `threads` threads."""
        self._threads = threads
        self._alive: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def converse(self, request: Json, patience_s: float) -> Iterator[Json]:
        """Run one worker on `request` and yield its messages, all but the last, {"end": true}.

        Raises WorkerDied where it ends earlier or is silent for `patience_s` seconds (then it is
        killed).
        """
        with tempfile.TemporaryFile() as log:
            worker = self._start(log)
            try:
                stdin, stdout = worker.stdin, worker.stdout
                assert stdin is not None and stdout is not None  # noqa: S101  both were asked for
                _hand_over(stdin, request)
                for message in _messages(stdout, patience_s):
                    if message.get("end"):
                        return
                    yield message
                raise WorkerDied(_ending(worker.wait(), log))
            finally:
                self._reap(worker)

    @property
    def is_stopped(self) -> bool:
        """Tell whether `stop` was called: workers that end from then on were killed by us."""
        return self._stopped

    def stop(self) -> None:
        """Kill every worker with its children, and start no more."""
        with self._lock:
            self._stopped = True
            for worker in self._alive:
                _kill(worker)

    def _start(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise WorkerDied("the build was interrupted")
            # a session of its own, so that a toolchain's own children can be ended with it
            worker = subprocess.Popen(
                [sys.executable, "-m", "suites.artifacts.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(self._threads),
                start_new_session=True,
            )
            self._alive.add(worker)
        return worker

    def _reap(self, worker: subprocess.Popen[bytes]) -> None:
        _kill(worker)
        worker.wait()
        for stream in (worker.stdin, worker.stdout):
            if stream is not None:
                stream.close()
        with self._lock:
            self._alive.discard(worker)


def _hand_over(stdin: IO[bytes], request: Json) -> None:
    try:
        stdin.write(msgspec.json.encode(request))
        stdin.close()
    except BrokenPipeError:
        # it died at once: how will be read from its exit status
        stdin.close()


def _messages(stdout: IO[bytes], patience_s: float) -> Iterator[Json]:
    """Yield the JSON objects that arrive, one per line, until the channel closes."""
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        deadline = time.monotonic() + patience_s
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise WorkerDied(f"no result within {patience_s:.0f} s, the build was stopped")
            chunk = os.read(stdout.fileno(), 1 << 16)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            if len(pending) > LARGEST_MESSAGE_BYTES:
                raise WorkerDied("the build worker sent an endless message")
            for line in lines:
                deadline = time.monotonic() + patience_s
                yield _decode(line)


def _decode(line: bytes) -> Json:
    try:
        message = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise WorkerDied(f"the build worker sent something that is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise WorkerDied("the build worker sent something that is not an object")
    return message


def _ending(code: int, log: IO[bytes]) -> str:
    """Say how a worker ended, with the last line it wrote."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = ", most likely because memory ran out" if name == "SIGKILL" else ""
        return f"the build process was killed by {name}{hint}"
    log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
    lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return f"the build process ended with code {code}: {lines[-1][:200] if lines else 'no message'}"


def _kill(worker: subprocess.Popen[bytes]) -> None:
    if worker.poll() is None:
        try:
            os.killpg(worker.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _environment(threads: int) -> dict[str, str]:
    """Return the worker's environment: an allow-list, few threads, no telemetry, no GPU."""
    passed: dict[str, Any] = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    inherited = os.environ.get("PYTHONPATH")
    return {
        **passed,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *([inherited] if inherited else [])]),
        "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NNCF_CI": "1",  # its one switch against telemetry
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONWARNINGS": "ignore",
    }
