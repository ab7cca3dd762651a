"""Files of a session in the board's cache: brought once, whole, and removed when room is needed.

    {"op": "have", "key", "files": [{"name", "sha256", "bytes"}]}
            -> {"folder", "missing": [{"name", "offset"}]}   what is still to be brought, from where
    {"op": "chunk", "key", "name", "offset", "bytes"} + bytes
    {"op": "keep", "key", "name", "sha256"}                  it is complete: check and name it
    {"op": "fetch", "name"}   -> {"event": "block", "data": base64} ..., and the output is removed
    {"op": "ping"}

Every answer is {"status": "ok"} or {"status": "failed", "reason"}. A key stands for one artifact:
its files lie in one folder, under their own names. An interrupted file stays as `.part`.
"""

import base64
import errno
import hashlib
import os
import re
import time

from harness.agent import content

DEFAULT_LIMIT_BYTES = 2 * 10**9
_KEY = re.compile(r"[0-9a-f]{64}\Z")
_BLOCK_BYTES = 3 << 18  # a multiple of 3: base64 without padding
# In each artifact's folder: the token of the session that used it last, and by its time when.
_USED = ".used"
_DAY_S = 86400.0
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Wrong(Exception):
    """Something that cannot be done; the message is the reason."""


class Depot:
    """The cache while one session holds the board."""

    def __init__(self, cache, token, limit_bytes=None):
        """Take the folder, the session's token and how much the artifacts may take together."""
        self._token = token
        self._limit_bytes = limit_bytes or DEFAULT_LIMIT_BYTES
        self._cache = cache
        self._arriving = _Arriving()
        self._artifacts = os.path.join(cache, "artifacts")
        self.outputs = os.path.join(cache, "outputs")

    def open(self):
        """Make the folders; remove old agents, and outputs nobody fetched; raise OSError."""
        for folder in (self._artifacts, self.outputs):
            os.makedirs(folder, 0o700, exist_ok=True)
        for path in _older(self.outputs, _DAY_S):
            os.unlink(path)
        for path in _older(os.path.join(self._cache, "agent"), 30 * _DAY_S):
            _remove(path)

    def operations(self):
        """Return {op: function of a request and its answer}."""
        served = {
            "have": self._have,
            "chunk": self._chunk,
            "keep": self._keep,
            "fetch": self._fetch,
        }
        table = {name: _guarded(serve) for name, serve in served.items()}
        table["ping"] = lambda request, answer: {"status": "ok"}
        return table

    def _have(self, request, answer):
        folder = self._folder(request)
        os.makedirs(folder, 0o700, exist_ok=True)
        with open(os.path.join(folder, _USED), "w") as stream:
            stream.write(self._token)
        missing, needed = [], 0
        for file in request["files"]:
            path = _inside(folder, file["name"])
            if not _whole(path, file):
                offset = _offset(path + ".part", file["bytes"])
                missing.append({"name": file["name"], "offset": offset})
                needed += file["bytes"] - offset
        if missing:
            self._make_room(needed)
        return {"folder": folder, "missing": missing}

    def _chunk(self, request, answer):
        path = _inside(self._folder(request), request["name"]) + ".part"
        blocks = answer.read(request["bytes"])
        try:
            with open(path, "ab") as part:
                if part.tell() != request["offset"]:
                    raise Wrong("%s does not end at byte %d" % (path, request["offset"]))
                self._arriving.begin(path, request["offset"])
                for block in blocks:
                    part.write(block)
                    self._arriving.add(block)
        except (OSError, Wrong) as error:
            for _ in blocks:
                pass  # what follows on the line is the next request
            if isinstance(error, OSError) and error.errno in _FULL:
                os.unlink(path)
                raise Wrong(self._full(request["bytes"])) from error
            raise
        return {}

    def _keep(self, request, answer):
        path = _inside(self._folder(request), request["name"])
        found = self._arriving.digest(path + ".part") or content.sha256(path + ".part")
        if found != request["sha256"]:
            os.unlink(path + ".part")
            raise Wrong("%s did not arrive as it was sent" % path)
        os.rename(path + ".part", path)
        content.remember(path, found)
        return {}

    def _fetch(self, request, answer):
        path = _inside(self.outputs, request["name"])
        with open(path, "rb") as stream:
            for block in iter(lambda: stream.read(_BLOCK_BYTES), b""):
                answer.emit("block", data=base64.b64encode(block).decode("ascii"))
        os.unlink(path)
        return {}

    def _folder(self, request):
        if not _KEY.match(request["key"]):
            raise Wrong("%r is no key" % request["key"])
        return os.path.join(self._artifacts, request["key"])

    def _make_room(self, needed):
        """Remove what was not used for longest until `needed` bytes fit the limit and the disk."""
        entries = self._entries()
        used = sum(size for _, _, size, _ in entries)
        for _, folder, size, token in entries:
            if used + needed <= self._limit_bytes and needed <= self._free():
                return
            if token != self._token:
                _remove(folder)
                used -= size
        if needed > self._free():
            raise Wrong(self._full(needed))
        if used + needed > self._limit_bytes:
            raise Wrong(
                "this session needs %s in %s, more than the %s it may take"
                % (_size(used + needed), self._cache, _size(self._limit_bytes))
            )

    def _entries(self):
        """Return [(last use, folder, bytes, token)], what was not used for longest first."""
        found = []
        for name in os.listdir(self._artifacts):
            folder = os.path.join(self._artifacts, name)
            files = [os.path.join(folder, file) for file in os.listdir(folder)]
            size = sum(os.lstat(path).st_size for path in files)
            try:
                mark = os.path.join(folder, _USED)
                with open(mark) as stream:
                    found.append((os.stat(mark).st_mtime, folder, size, stream.read()))
            except OSError:
                found.append((0.0, folder, size, ""))  # half made, or half removed
        return sorted(found)

    def _free(self):
        disk = os.statvfs(self._cache)
        return disk.f_bavail * disk.f_frsize

    def _full(self, needed):
        return "the disk with %s is full: %s are needed and %s are free; make room there" % (
            self._cache,
            _size(needed),
            _size(self._free()),
        )


class _Arriving:
    """The digest of the file that arrives now, so that it need not be read again."""

    def __init__(self):
        self._path, self._size, self._content = "", 0, hashlib.sha256()

    def begin(self, path, offset):
        """Note that a piece comes; one that does not follow the last begins nothing."""
        if offset == 0:
            self._path, self._size, self._content = path, 0, hashlib.sha256()
        elif (path, offset) != (self._path, self._size):
            self._path = ""

    def add(self, block):
        """Take in a block of the piece."""
        self._size += len(block)
        self._content.update(block)

    def digest(self, path):
        """Return the file's digest, None where it did not all arrive in this talk."""
        whole = path == self._path and os.path.getsize(path) == self._size
        return self._content.hexdigest() if whole else None


def _guarded(serve):
    """Turn what cannot be done into an answer that says why."""

    def answered(request, answer):
        try:
            return dict(serve(request, answer), status="ok")
        except Wrong as error:
            return {"status": "failed", "reason": str(error)}
        except OSError as error:
            reason = "cannot use %s: %s" % (error.filename or "the cache", error.strerror)
            return {"status": "failed", "reason": reason}

    return answered


def _older(folder, age_s):
    """Return what lies in `folder` and was not touched for so long; nothing where it is not."""
    if not os.path.isdir(folder):
        return []
    paths = [os.path.join(folder, name) for name in os.listdir(folder)]
    return [path for path in paths if time.time() - os.stat(path).st_mtime > age_s]


def _remove(folder):
    import shutil  # costs more than all the rest here, and is seldom needed

    shutil.rmtree(folder)


def _inside(folder, name):
    """Return where a file of that name lies in `folder`: it must be a plain name."""
    if name in ("", ".", "..") or "/" in name or "\0" in name or name == _USED:
        raise Wrong("%r is no file name" % name)
    return os.path.join(folder, name)


def _whole(path, file):
    """Tell whether the file is there with its content; one that was damaged is removed."""
    try:
        if os.path.getsize(path) == file["bytes"] and content.sha256(path) == file["sha256"]:
            return True
        os.unlink(path)
    except FileNotFoundError:
        pass
    return False


def _offset(part, size):
    """Return how much of a file an interrupted upload left."""
    try:
        offset = os.path.getsize(part)
    except FileNotFoundError:
        return 0
    if offset > size:
        os.unlink(part)
        return 0
    return offset


def _size(count):
    """Return bytes as people read them."""
    return "%.1f GB" % (count / 1e9) if count >= 1e9 else "%.1f MB" % (count / 1e6)
