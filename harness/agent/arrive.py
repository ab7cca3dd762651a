"""The first program on a board: take the agent in if it is not there yet, then become it.

It comes over stdin itself, so it stands alone and is small. The desk says on the next line

    {"op": "arrive", "id", "sha256": the agent's digest, ...}

and is answered {"event": "finished", "missing": true} where the agent is not in the cache, sends
{"op": "agent", "id", "bytes"} and the bytes; or {..., "refused": sentence} where it cannot be kept.
The agent itself, started with the request and its cache as `--session`, says the rest.
"""

import hashlib
import json
import os
import sys


def cache():
    """Return the one folder on a board that is ours."""
    named = os.environ.get("XDG_CACHE_HOME") or ""
    usual = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(named if os.path.isabs(named) else usual, "boardmark")


def arrive(stream):
    """Serve the talk on `stream` up to the moment when this process becomes the agent."""
    request = json.loads(stream.readline().decode("utf-8"))
    agents = os.path.join(cache(), "agent")
    path = os.path.join(agents, request["sha256"] + ".pyz")
    try:
        os.makedirs(agents, 0o700, exist_ok=True)
        if not _whole(path, request["sha256"]):
            _say(request, missing=True)
            request["id"], data = _taken(stream)
            _keep(path, data)
        os.utime(path)
    except OSError as error:
        where = error.filename or agents
        return _say(request, refused="cannot write %s: %s" % (where, error.strerror))
    session = json.dumps(dict(request, cache=cache()))
    # no shell, which is all that S606 fears
    return os.execv(  # noqa: S606
        sys.executable, [sys.executable, path, "--session", session]
    )


def _whole(path, digest):
    """Tell whether the file is there with the content that its name promises."""
    try:
        with open(path, "rb") as agent:
            return hashlib.sha256(agent.read()).hexdigest() == digest
    except OSError:
        return False


def _taken(stream):
    """Return the id of the request that brings the agent, and the agent."""
    request = json.loads(stream.readline().decode("utf-8"))
    data = stream.read(request["bytes"])
    if len(data) < request["bytes"]:
        raise SystemExit(0)  # the desk is gone
    return request["id"], data


def _keep(path, data):
    """Write the agent whole or not at all, whoever else brings the same one now."""
    part = "%s.%d" % (path, os.getpid())
    try:
        with open(part, "wb") as agent:
            agent.write(data)
        os.rename(part, path)
    except OSError:
        if os.path.exists(part):
            os.unlink(part)
        raise


def _say(request, **facts):
    # A line of its own: a login shell may have said something without ending its line.
    sys.stdout.write("\n" + json.dumps(dict(facts, event="finished", id=request["id"])) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # What lies in the home folder must not stand in for the standard library.
    sys.path = [folder for folder in sys.path if folder]
    arrive(sys.stdin.buffer)
