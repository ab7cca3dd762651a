"""A board over the system's OpenSSH: what a lab file names is reached, and nothing is installed.

connect = connector(place, token)      one connection, which all agents of one command share
connect("python3")                     a transport, its agent running under that interpreter
"""

from __future__ import annotations

import platform
from collections.abc import Callable

from harness.transport.ssh.connection import Connection
from harness.transport.ssh.place import Place
from harness.transport.ssh.transport import Session, SshTransport

__all__ = ["Connection", "Place", "Session", "SshTransport", "connector"]


def connector(place: Place, token: str) -> Callable[[str], SshTransport]:
    """Return what starts an agent on the board under an interpreter there.

    `token` stands for one command of this desk: the board serves one token at a time. The
    connection opens with the first agent and closes with the last.
    """
    connection = Connection(place)
    session = Session(token=token, what=f"a session of the desk {platform.node() or 'unknown'!r}")
    return lambda interpreter: SshTransport(connection, interpreter, session)
