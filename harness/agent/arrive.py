"""The first program on a board: take the agent in if it is not there yet, then become it.

It comes over stdin itself, so it stands alone and is small. The desk says on the next line

    {"op": "arrive", "id", "sha256": the agent's digest, ...}

and is answered {"event": "finished", "missing": true} where the agent is not in the cache, sends
{"op": "agent", "id", "bytes"} and the bytes; or {..., "refused": sentence} where it cannot be kept.
The agent itself, started with the request and its cache as `--session`, says the rest.
"""

import json
import os
import sys

_SIZES = "sizes.json"
WRITABLE = "make room there, or let this user write to it"


def cache():
    """Return the one folder on a board that is ours."""
    named = os.environ.get("XDG_CACHE_HOME") or ""
    usual = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(named if os.path.isabs(named) else usual, "boardmark")


def arrive(stream):
    """Serve the talk on `stream` up to the moment when this process becomes the agent."""
    request = json.loads(stream.readline().decode("utf-8"))
    # A line of our own: a login shell may have said something without ending its line.
    sys.stdout.write("\n")
    sys.stdout.flush()
    agent = os.path.join(cache(), "agent", request["sha256"])
    try:
        if not _whole(agent):
            os.makedirs(os.path.dirname(agent), 0o700, exist_ok=True)
            _say(request, missing=True)
            request["id"], packed = _taken(stream)
            _unpack(packed, agent)
        os.utime(agent)
    except OSError as error:
        where = error.filename or agent
        why = "cannot write %s: %s" % (where, error.strerror)
        return _say(request, refused=why, advice=WRITABLE)
    session = json.dumps(dict(request, cache=cache()))
    # no shell, which is all that S606 fears
    return os.execv(  # noqa: S606
        sys.executable, [sys.executable, agent, "--session", session]
    )


def _whole(agent):
    """Tell whether the agent lies there with all its files: a loss of power can empty some."""
    try:
        with open(os.path.join(agent, _SIZES)) as stream:
            sizes = json.load(stream)
        return all(os.path.getsize(os.path.join(agent, name)) == sizes[name] for name in sizes)
    except (OSError, ValueError):
        return False


def _taken(stream):
    """Return the id of the request that brings the agent, and the agent."""
    request = json.loads(stream.readline().decode("utf-8"))
    packed = stream.read(request["bytes"])
    if len(packed) < request["bytes"]:
        raise SystemExit(0)  # the desk is gone
    return request["id"], packed


def _unpack(packed, agent):
    """Lay the agent down, whole or not at all, whoever else brings the same one now.

    As a folder and not as the archive that it comes in: Python keeps what it compiled beside the
    sources, so that no later start has to compile them again.
    """
    import io
    import shutil
    import zipfile

    part = "%s.%d" % (agent, os.getpid())
    archive = zipfile.ZipFile(io.BytesIO(packed))
    try:
        archive.extractall(part)
        with open(os.path.join(part, _SIZES), "w") as stream:
            json.dump({entry.filename: entry.file_size for entry in archive.infolist()}, stream)
        if not _whole(agent):
            shutil.rmtree(agent, ignore_errors=True)
            os.rename(part, agent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _say(request, **facts):
    sys.stdout.write(json.dumps(dict(facts, event="finished", id=request["id"])) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    arrive(sys.stdin.buffer)
