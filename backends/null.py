"""No runtime at all: works or sleeps as its artifact says, answers a fixed function of its input.

The artifact is a JSON object {"latency_us": 200, "jitter_us": 5, "spin": 0, "fail": null,
"allocate_mb": 0, "map": null, "inputs": [...], "outputs": {name: [numbers]}}. `spin` is a number
of turns of integer work that each call does before it sleeps, if it sleeps at all. `map` is a file
that is mapped, and every call touches each of its pages. `fail` may be "load", "infer", "crash"
(SIGILL, like an unknown instruction), "abort" (SIGABRT), "hang" or "memory", so that every way in
which a real runtime ends is reproducible in tests. It is deterministic in what it returns.
"""

import itertools
import json
import os
import signal
import time

from backends import BackendError


def probe(options):
    """Tell the version of the contract this double plays."""
    return {"version": "1"}


def open(path, options):  # the contract's verb
    """Read the artifact and fail at once where it says so."""
    import io

    try:
        with io.open(path, encoding="utf-8") as stream:
            script = json.load(stream)
    except (OSError, ValueError) as error:
        raise BackendError("load", "not a null artifact: {}".format(error)) from error
    if not isinstance(script, dict):
        raise BackendError("load", "not a null artifact: expected an object")
    _fail(script.get("fail"), "load")
    if script.get("map"):
        return _Mapping(script, options)
    return Session(script, options)


class Session:
    """A loaded script."""

    def __init__(self, script, options):
        """Take the inputs the script declares, or one float of shape [1]."""
        self._script = script
        self._options = options
        self._ballast = bytearray(int(script.get("allocate_mb", 0) * 1e6))
        self._calls = 0
        self.inputs = script.get("inputs") or [{"name": "x", "dtype": "float32", "shape": [-1]}]

    def bind(self, arrays):
        """Return the arrays as they are."""
        return arrays

    def infer(self, feed):
        """Work and sleep as scripted; the jitter is a fixed triangle over the calls."""
        fail = self._script.get("fail")
        if fail:
            _fail(fail, "infer")
        self._calls += 1
        spin(self._script.get("spin", 0))
        jitter = self._script.get("jitter_us", 0) * ((self._calls % 5) - 2) / 2.0
        pause = (self._script.get("latency_us", 0) + jitter) / 1e6
        if pause > 0:
            time.sleep(pause)
        return feed

    def outputs(self, raw):
        """Return the scripted outputs, or the inputs themselves."""
        return self._script.get("outputs") or raw

    def evidence(self):
        """Report what was asked for: nothing else runs here."""
        return {
            "version": "1",
            "threads": self._options.get("threads"),
            "provider": "none",
            "nodes_total": 1,
            "nodes_on_provider": 1,
            "precision": self._options.get("precision") or "f32",
            "detail": None,
        }

    def close(self):
        """Drop the ballast."""
        self._ballast = bytearray()


class _Mapping(Session):
    """A script with a file that every call reads through the page cache."""

    def __init__(self, script, options):
        import io
        import mmap

        super().__init__(script, options)
        with io.open(script["map"], "rb") as stream:
            self._pages = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._step = mmap.PAGESIZE

    def infer(self, feed):
        """Touch every page, then do as scripted."""
        self._pages[:: self._step]
        return super().infer(feed)

    def close(self):
        """Let the file go, too."""
        self._pages.close()
        super().close()


def spin(turns):
    """Do `turns` turns of integer work in pure Python; return what comes of it.

    This is the work of the anchor case, by which sessions of different years are compared, so it
    must never change: not the arithmetic, not the loop. Every number stays among those that CPython
    keeps ready, so that it allocates nothing and touches no memory of its own. A thousand turns
    take some 25 µs on a desk computer; another Python release makes it another anchor.
    """
    value = 1
    for _ in itertools.repeat(None, turns):
        value = (value * 13 + 1) & 15
    return value


def _fail(how, where):
    if how == where == "load":
        raise BackendError("load", "the null artifact says that loading fails")
    if how == where == "infer":
        raise BackendError("infer", "the null artifact says that inference fails")
    if where != "infer":
        return
    if how == "crash":
        os.kill(os.getpid(), signal.SIGILL)
    elif how == "abort":
        os.abort()
    elif how == "hang":
        time.sleep(3600)
    elif how == "memory":
        hoard = []
        while True:
            hoard.append(bytearray(16 * 1024 * 1024))
