"""Why a board could not be reached or was lost: what `ssh` said, as a sentence with a next step."""

from __future__ import annotations

import re

from harness.errors import BoardLost, DeviceError
from harness.transport.dialogue import Gone
from harness.transport.ssh.place import Place

TOO_OLD = "boardmark needs Python 3.6"
_SSH = 255
_NOT_FOUND = (126, 127)
_ON = "check that it is on and on the network"
# What ssh says -> (whether the board itself is out of reach, what it means, the next step);
# {host} and {ssh} are filled in. The first that is found counts.
_MEANINGS: dict[str, tuple[bool, str, str]] = {
    "Could not resolve hostname": (
        True, "its host name {host!r} is unknown", "correct its 'address' in the lab file",
    ),
    "Connection refused": (
        True, "nothing listens there (connection refused)", "start sshd on it, or correct the port",
    ),
    "No route to host": (True, "there is no route to it", _ON),
    "Network is unreachable": (True, "its network is unreachable", _ON),
    "timed out": (True, "it does not answer (timed out)", _ON),
    "onfiguration option": (
        False, "ssh does not understand its configuration", "see what is wrong with: {ssh}",
    ),
    "kex_exchange_identification": (
        True, "what listens there ended the connection before it spoke SSH",
        "look whether 'address' in the lab file is that of its sshd",
    ),
    "IDENTIFICATION HAS CHANGED": (
        False, "its host key has changed: another machine may be answering",
        "find out why; if it was set up anew, remove the old key with ssh-keygen -R and connect"
        " once by hand: {ssh}",
    ),
    "host key is known for": (
        False, "its host key is not known here", "connect once by hand to check it: {ssh}",
    ),
    "Host key verification failed": (
        False, "its host key is not to be trusted", "connect once by hand to check it: {ssh}",
    ),
    "Permission denied (": (
        False, "it refuses the key", "bring it yours: {copy}",
    ),
    "Too many authentication failures": (
        False, "it refuses the first keys and then gives up", "name one with IdentityFile for it in"
        " ~/.ssh/config",
    ),
}  # fmt: skip


def explained(
    place: Place, gone: Gone, status: int | None, interpreter: str, arrived: bool = True
) -> DeviceError:
    """Return what the end of a talk means; `status` is ssh's exit status, None: it still runs.

    `arrived` is false where the agent never answered at all. BoardLost where the board is out of
    reach or stopped answering, DeviceError for the rest.
    """
    what = f"board {place.name!r}"
    if status == _SSH:
        return _refused(place, gone.words)
    if not arrived:
        return _unfit(what, gone.words, status, interpreter)
    if status is None or not gone.words:
        return BoardLost(f"{what} stopped answering", _ON)
    return DeviceError(f"on {what}, {gone}")


def _unfit(what: str, words: str, status: int | None, interpreter: str) -> DeviceError:
    """Return why what was started on the board did not take the agent in."""
    if status is None:
        return BoardLost(
            f"{interpreter!r} on {what} does not answer",
            f"{_ON}, and that this is a python3 that starts without a question",
        )
    if status in _NOT_FOUND:
        return DeviceError(
            f"{what} has no interpreter {interpreter!r}",
            "name one that it has as 'python' or among its 'interpreters' in the lab file",
        )
    if found := re.search(TOO_OLD + r", this is (\d+\.\d+)", words):
        return DeviceError(
            f"{interpreter!r} on {what} is too old: it is Python {found[1]}, the agent needs 3.6",
            "name a newer one as 'python' in the lab file",
        )
    said = words.splitlines()[-1].strip()[:200] if words else "it ended without a word"
    return DeviceError(
        f"{interpreter!r} on {what} does not take the agent in: {said}",
        "name a python3 as 'python' or among its 'interpreters' in the lab file",
    )


def _refused(place: Place, words: str) -> DeviceError:
    hand = place.by_hand
    for said, (out_of_reach, meaning, advice) in _MEANINGS.items():
        if said in words:
            copy = hand.replace("ssh", "ssh-copy-id", 1)
            filled = advice.format(ssh=hand, copy=copy)
            kind = BoardLost if out_of_reach else DeviceError
            return kind(
                f"cannot reach board {place.name!r}: {meaning.format(host=place.host)}", filled
            )
    if not words:
        return BoardLost(f"the connection to board {place.name!r} was lost", _ON)
    last = words.splitlines()[-1].strip()[:200]
    return BoardLost(f"the connection to board {place.name!r} was lost: {last}", _ON)
