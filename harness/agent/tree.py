"""Reading /proc and /sys below any root: a value, or the reason why there is none.

Every function takes the root of the tree ("/" on a board, a miniature tree in the tests) and the
path as the board knows it ("/proc/meminfo"), so that reasons name what a person can look at.
"""

import errno
import glob
import os
import re

# 1 MiB is far beyond any attribute; a file that is longer is not one.
_LIMIT = 1 << 20
# No number of the kernel has more digits, and reading a page of them for nothing takes time.
_NUMBER_LIMIT = 64
_TOO_LARGE = 1 << 64
_WORDS = {
    errno.ENOENT: " does not exist",
    errno.ENOTDIR: " does not exist",
    errno.EISDIR: " is not a file",
}


class Unreadable(Exception):
    """A value that could not be read; the message is the reason, starting with the path.

    `denied` is true where permission is what is missing.
    """

    def __init__(self, message, denied=False):
        """Keep the reason and whether permission is what is missing."""
        super().__init__(message)
        self.denied = denied


def inside(root, path):
    """Return where `path` lies below `root`."""
    return os.path.join(root, path.lstrip("/"))


def blob(root, path):
    """Return the bytes of the file `path`; raise Unreadable with the reason."""
    return _bytes(root, path, _LIMIT, -1)


def _bytes(root, path, limit, buffering):
    try:
        with open(inside(root, path), "rb", buffering) as handle:
            return handle.read(limit)
    except OSError as error:
        why = _WORDS.get(error.errno or 0) or ": " + (error.strerror or str(error)).lower()
        raise Unreadable(path + why, error.errno in (errno.EACCES, errno.EPERM)) from error


def text(root, path):
    """Return the file as stripped text, with a device tree's closing NUL removed."""
    return blob(root, path).decode("utf-8", "replace").strip("\0\n\t ")


def strings(root, path):
    """Return the NUL-separated strings of a device-tree property."""
    return [part for part in blob(root, path).decode("utf-8", "replace").split("\0") if part]


def number(root, path):
    """Return the integer in a file; what is no integer is Unreadable, never 0."""
    word = _bytes(root, path, _NUMBER_LIMIT, 0).decode("utf-8", "replace").strip("\0\n\t ")
    try:
        value = int(word, 0) if word.startswith("0x") else int(word)
    except ValueError:
        raise Unreadable("%s holds %r, which is not a number" % (path, word[:40])) from None
    if abs(value) >= _TOO_LARGE:
        raise Unreadable("%s holds a number of more than 64 bits" % path)
    return value


def numbers(root, named_paths, scale):
    """Return {name: value * scale} of the files that answer; a rail that is off gives EAGAIN."""
    found = {}
    for name, path in named_paths:
        try:
            found[name] = number(root, path) * scale
        except Unreadable:
            continue
    return found


def exists(root, path):
    """Tell whether `path` exists below `root`."""
    return os.path.exists(inside(root, path))


def find(root, pattern):
    """Return the paths that match a glob pattern; numbers count (policy4 before policy10)."""
    prefix = root.rstrip("/")
    found = glob.glob(glob.escape(prefix) + pattern)
    return sorted((name[len(prefix) :] for name in found), key=_natural)


def _natural(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def cpu_list(words):
    """Return the ids in a kernel CPU list: "0-2,4" or "0 1 2 4" gives [0, 1, 2, 4]."""
    ids = []  # type: list[int]
    for part in words.replace(",", " ").split():
        first, _, last = part.partition("-")
        ids.extend(range(int(first), int(last or first) + 1))
    return ids


def table(root, path):
    """Return a file of "key value" or "key: value unit" lines (/proc/vmstat) as {key: int}."""
    rows = {}
    for line in text(root, path).splitlines():
        words = line.replace(":", " ").split()
        if len(words) >= 2 and words[1].lstrip("-").isdigit():
            rows[words[0]] = int(words[1])
    return rows
