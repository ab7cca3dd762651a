"""One authenticated connection to a board, which carries the talks with several agents.

OpenSSH's own multiplexing: the first `ssh` becomes the master, in a folder that only we can read;
it leaves by itself soon after the last talk, should this process die. The user's configuration
holds (keys, ProxyJump), but nothing is asked, forwarded or trusted on first sight.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from harness.errors import DeviceError
from harness.transport.ssh.place import Place

# A socket's path ends at 107 bytes, and ssh appends 17 while it makes one.
_LONGEST_FOLDER = 70
_END_S = 5.0
_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ControlMaster": "auto",
    "ControlPersist": "60",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "LogLevel": "ERROR",
}


class Connection:
    """The way to one place; opened by the first start, closed with the last of its talks.

    `epoch` counts how often it was given up: a talk of an earlier epoch is dead.
    """

    def __init__(self, place: Place) -> None:
        """Take the place; nothing is connected yet."""
        self.place = place
        self.epoch = 0
        self._folder: Path | None = None
        self._talks = 0

    def start(self, command: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start `command`, a constant of ours, on the board; DeviceError where there is no ssh."""
        try:
            process = subprocess.Popen(
                self._ssh("-T", "--", self.place.host, command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        except OSError as error:
            self.drop()
            raise DeviceError(
                f"cannot start ssh to reach {self.place.name!r}: {error.strerror}",
                "install OpenSSH's client (openssh-client)",
            ) from error
        self._talks += 1
        return process

    def ended(self) -> None:
        """Note that one talk is over; the last one closes the connection."""
        self._talks -= 1
        if self._talks == 0:
            self._close()

    def drop(self) -> None:
        """Give the connection up, with all that still goes over it."""
        self.epoch += 1
        self._close()

    def _close(self) -> None:
        if self._folder is None:
            return
        # Asking the master costs no network: one whose board is gone ends at once too.
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                self._ssh("-O", "exit", "--", self.place.host),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_END_S,
                check=False,
            )
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    def _ssh(self, *words: str) -> list[str]:
        if self._folder is None:
            usual = tempfile.gettempdir()
            parent = usual if len(usual) <= _LONGEST_FOLDER else "/tmp"  # noqa: S108  mkdtemp's
            self._folder = Path(tempfile.mkdtemp(prefix="bm-", dir=parent))
        options = {**_OPTIONS, "ControlPath": str(self._folder / "s")}
        told = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        return ["ssh", *told, *self.place.options, *words]
