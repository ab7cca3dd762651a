"""A real sshd on a loopback port that is a board: own keys, own home, a log of its own.

It runs as whoever runs the tests. `Server.entry()` is what a lab file would say of it.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.transport.ssh import Place

_SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin")


class Server:
    """One sshd: `place` leads to it; `home` is where the board keeps its cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "board"
        self.home.mkdir(parents=True)
        self.port = _free_port()
        for name in ("host", "other_host", "user", "stranger"):
            _keygen(folder / name)
        (folder / "authorized").write_text((folder / "user.pub").read_text())
        self.trust(folder / "host.pub")
        self._write_config()
        self._process: subprocess.Popen[bytes] | None = None

    def trust(self, key: Path | None) -> None:
        """Let the desk know the host by `key`, or not at all."""
        line = f"[127.0.0.1]:{self.port} {key.read_text()}" if key else ""
        (self.folder / "known_hosts").write_text(line)

    def log_in_with(self, name: str) -> None:
        """Let the desk use the key `user` or `stranger`."""
        self._write_config(name)

    def start(self, *options: str) -> None:
        command = [str(_SSHD), "-D", "-e", "-f", str(self.folder / "sshd_config"), *options]
        with (self.folder / "sshd.log").open("wb") as log:
            self._process = subprocess.Popen(command, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise AssertionError((self.folder / "sshd.log").read_text())

    def stop(self) -> None:
        self.cut()
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=10)

    @property
    def place(self) -> Place:
        return Place(
            name="desk-board",
            host="127.0.0.1",
            user=getpass.getuser(),
            port=self.port,
            config=self.folder / "ssh_config",
        )

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "boardmark"

    def connections(self) -> list[int]:
        """Return the processes that serve the connections that there are."""
        assert self._process
        return _descendants(self._process.pid, depth=1)

    def cut(self) -> None:
        """Cut every connection at the board's end, as a board that loses power would."""
        if self._process:
            for pid in _descendants(self._process.pid, depth=2):
                if _name(pid) == "sshd":
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def agents(self) -> list[int]:
        """Return the agents that live on the board."""
        words = str(self.cache / "agent").encode()
        return [pid for pid in _pids() if words in _command(pid) and b"--session" in _command(pid)]

    def children(self) -> list[int]:
        """Return the measured children that live on the board."""
        words = str(self.cache / "agent").encode()
        return [pid for pid in _pids() if words in _command(pid) and b"--child" in _command(pid)]

    def _write_config(self, key: str = "user") -> None:
        (self.folder / "sshd_config").write_text(f"""
Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.folder / "host"}
AuthorizedKeysFile {self.folder / "authorized"}
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv HOME={self.home}
""")
        (self.folder / "ssh_config").write_text(f"""
IdentityFile {self.folder / key}
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile {self.folder / "known_hosts"}
GlobalKnownHostsFile none
""")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Server]:
    """Serve a board out of `folder`; the test is skipped where no sshd is installed."""
    if _SSHD is None or shutil.which("ssh") is None:
        pytest.skip("no sshd here: install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def wait_for(condition: object, timeout_s: float = 10.0) -> None:
    """Wait until calling `condition` gives something true."""
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _keygen(path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def alive(pid: int) -> bool:
    """Tell whether a process still has anything of its own: a dead one has no command line."""
    return bool(_command(pid))


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _descendants(pid: int, depth: int) -> list[int]:
    if depth == 0:
        return []
    found: list[int] = []
    with contextlib.suppress(OSError):
        for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(word), *_descendants(int(word), depth - 1)]
    return found
