"""One session at a time on a board: each agent holds a lock on a file of its own while it lives.

The kernel drops a lock with its owner, so a file whose lock can be had belongs to a dead agent. The
file tells who holds it: {"token", "epoch", "interpreter", "pid", "since_s" (monotonic), "what",
"boot"}. A token stands for one command on a desk, an epoch for one connection of it.
"""

import errno
import fcntl
import json
import os
import signal
import time

# In the environment of whatever an agent starts: how its leftovers are found.
MARK = "BOARDMARK_HOLD"
# How long a session that has just ended may take to leave.
_LEAVING_S = 2.0
_DYING_S = 5.0
_MUTEX_S = 30.0
_PAUSE_S = 0.05


class Refused(Exception):
    """The board is another session's; the message says since when and whose."""


class Hold:
    """The right to this board; the kernel takes it back when the process ends."""

    def __init__(self, path, descriptor):
        """Take the locked file; `take` makes one."""
        self.path = path
        self._descriptor = descriptor

    def release(self):
        """Give the right back while the process goes on."""
        os.unlink(self.path)
        os.close(self._descriptor)


def take(folder, session):
    """Hold the board for session["token"], or raise Refused; raises OSError too.

    What our own command lost is ended first: the agent of an earlier connection, and the agent of
    this connection under the same interpreter.
    """
    os.makedirs(folder, 0o700, exist_ok=True)
    mutex = _locked(os.path.join(folder, ".mutex"), time.monotonic() + _MUTEX_S)
    if mutex is None:
        raise Refused("another session has been about to take the board for a long time")
    try:
        deadline = time.monotonic() + _LEAVING_S
        while True:
            refused = _clear(folder, session)
            if not refused:
                return _hold(folder, session)
            if time.monotonic() > deadline:
                raise Refused(refused)
            time.sleep(_PAUSE_S)
    finally:
        os.close(mutex)


def _hold(folder, session):
    name = "%d-%s.json" % (os.getpid(), os.urandom(4).hex())
    path = os.path.join(folder, name)
    descriptor = _locked(path, 0.0)
    facts = {key: session.get(key) for key in ("token", "epoch", "interpreter", "what")}
    facts.update(pid=os.getpid(), since_s=time.monotonic(), boot=_boot())
    os.write(descriptor, json.dumps(facts).encode("utf-8"))
    os.environ[MARK] = name
    return Hold(path, descriptor)


def _clear(folder, session):
    """Bury the dead and end what is ours; return why the board cannot be had, None where it can."""
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if not name.endswith(".json"):
            continue
        descriptor = _locked(path, 0.0)
        if descriptor is None:
            holder = _holder(path)
            if holder.get("boot") != _boot():
                continue  # a shared home folder: that one runs on another machine
            if holder.get("token") != session["token"]:
                return _sentence(holder)
            same = holder.get("interpreter") == session["interpreter"]
            if same or holder.get("epoch") != session["epoch"]:
                descriptor = _end(path, holder)
            if descriptor is None:
                continue
        _end_leftovers(name)
        os.unlink(path)
        os.close(descriptor)
    return None


def _end(path, holder):
    """End a living agent, the hard way if need be; return the lock it held."""
    for number, patience_s in ((signal.SIGTERM, _LEAVING_S), (signal.SIGKILL, _DYING_S)):
        try:
            os.kill(holder["pid"], number)
        except ProcessLookupError:
            pass  # it went by itself
        descriptor = _locked(path, time.monotonic() + patience_s)
        if descriptor is not None:
            return descriptor
    raise Refused("an earlier agent of this session (process %d) cannot be ended" % holder["pid"])


def _end_leftovers(name):
    """Kill what a dead agent left running; again until there is none, for it may fork meanwhile."""
    mark = ("%s=%s" % (MARK, name)).encode("utf-8")
    deadline = time.monotonic() + _DYING_S
    while time.monotonic() < deadline:
        marked = [
            pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _has(pid, mark)
        ]
        if not marked:
            return
        for pid in marked:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it went by itself
        time.sleep(_PAUSE_S)


def _has(pid, mark):
    try:
        with open("/proc/%d/environ" % pid, "rb") as stream:
            return mark in stream.read().split(b"\0")
    except OSError:
        return False  # gone, or somebody else's


def _locked(path, deadline):
    """Return a descriptor that holds the lock of a file, None where another has it too long."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                os.close(descriptor)
                raise
        if time.monotonic() >= deadline:
            os.close(descriptor)
            return None
        time.sleep(_PAUSE_S)


def _holder(path):
    """Return what a holder wrote; nothing of it where that cannot be read."""
    try:
        with open(path) as stream:
            return json.load(stream)
    except (OSError, ValueError):
        return {"boot": _boot()}


def _boot():
    """Return what tells this machine since its last start from any other."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as stream:
            return stream.read().strip()
    except OSError:
        return None


def _sentence(holder):
    since = holder.get("since_s")
    age_s = time.monotonic() - since if since is not None else None
    ago = "" if age_s is None else ", for %s" % _duration(age_s)
    whose = holder.get("what") or "another session"
    return "%s holds the board%s (process %s there)" % (whose, ago, holder.get("pid", "unknown"))


def _duration(age_s):
    """Return "40 s", "12 min" or "3.5 h"."""
    if age_s < 120:
        return "%.0f s" % age_s
    return "%.0f min" % (age_s / 60) if age_s < 7200 else "%.1f h" % (age_s / 3600)
