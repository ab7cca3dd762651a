"""Start one child, watch it over its private descriptor, end it in time, and say how it ended.

The supervisor sleeps in select() between the child's messages and wakes four times a second to note
the child's memory, so that a killed child still has a last known size.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time

from harness.agent import memory

POLL_S = 0.25
_TAIL_BYTES = 4096
_MESSAGE_LIMIT = 16 * 1024 * 1024
_FATAL_HINTS = {
    signal.SIGILL: "the runtime was built for instructions this CPU lacks",
    signal.SIGSEGV: "the runtime crashed on this artifact",
    signal.SIGABRT: "the runtime aborted",
    signal.SIGBUS: "the runtime crashed reading memory or a truncated mapped file",
}


class Child:
    """One measured process; `watch` yields its messages, `ending` then tells how it went."""

    def __init__(self, request, environment):
        """Start the child with `request` on its stdin and a pipe of its own for messages.

        `request["through"]` are words before its command line: an emulator, which a program that is
        started under it would leave otherwise.
        """
        through = request.get("through") or []
        read_end, write_end = os.pipe()
        os.set_inheritable(write_end, True)
        self._messages = read_end
        self._process = subprocess.Popen(
            through + [sys.executable, sys.argv[0], "--child", str(write_end)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(write_end,),
            env=environment,
            start_new_session=True,
        )
        os.close(write_end)
        self._deadline = time.monotonic() + request.get("timeout_s", 300)
        self._buffer = b""
        self._tail = b""
        self._timed_out = False
        self._said_too_much = False
        self._oom_kills = _oom_kills()
        self.last_memory = None
        try:
            self._process.stdin.write(json.dumps(request).encode("utf-8"))
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it died before reading; the ending says how

    def watch(self, tick, tick_s):
        """Yield messages until the channel closes; call `tick()` every `tick_s()` seconds or so."""
        chatter = self._process.stdout.fileno()
        sources = [self._messages, chatter]
        while self._messages in sources:
            ready, _, _ = select.select(sources, [], [], tick_s())
            if chatter in ready:
                data = os.read(chatter, 65536)
                self._tail = (self._tail + data)[-_TAIL_BYTES:]
                if not data:
                    sources.remove(chatter)
            if self._messages in ready:
                data = os.read(self._messages, 1 << 20)
                if not data:
                    sources.remove(self._messages)
                for message in self._split(data):
                    yield message
            self._look()
            tick()
            if time.monotonic() > self._deadline:
                self._timed_out = True
                self.kill()

    def _split(self, data):
        self._buffer += data
        if len(self._buffer) > _MESSAGE_LIMIT:
            self._said_too_much = True
            self.kill()
            self._buffer = b""
        lines = self._buffer.split(b"\n")
        self._buffer = lines.pop()
        for line in lines:
            try:
                yield json.loads(line.decode("utf-8"))
            except ValueError:
                self._tail = (self._tail + line)[-_TAIL_BYTES:]

    def _look(self):
        reading = memory.read("/proc/{}/status".format(self._process.pid))
        if reading["hwm_bytes"] is not None:
            self.last_memory = reading

    def kill(self):
        """End the child and whatever it started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # already gone

    def ending(self, timeout_s):
        """Reap the child; return (status, reason) of an end without a last message."""
        code = self._process.wait()
        self.kill()  # anything it left running in its process group
        self._process.stdout.close()
        os.close(self._messages)
        if self._timed_out:
            return "timeout", "no result within {:.0f} s; the run was ended".format(timeout_s)
        if self._said_too_much:
            limit = "{:.0f} MB".format(_MESSAGE_LIMIT / 1e6)
            return "failed", "one message was longer than {}; the run was ended".format(limit)
        if code == -signal.SIGKILL:
            return self._killed()
        if code < 0:
            name = signal.Signals(-code).name
            hint = _FATAL_HINTS.get(signal.Signals(-code), "the runtime was ended by a signal")
            return "crashed", "died of {}: {}{}".format(name, hint, self._last_words())
        return "crashed", "exit status {} without a result{}".format(code, self._last_words())

    def _killed(self):
        seen = (self.last_memory or {}).get("hwm_bytes")
        size = "; last seen with a peak of {:.0f} MB".format(seen / 1e6) if seen else ""
        if self._oom_kills is None:
            return "oom", "killed by SIGKILL: most likely out of memory" + size
        if _oom_kills() != self._oom_kills:
            return "oom", "killed by the kernel: out of memory" + size
        return "crashed", "killed by SIGKILL, and not by the kernel for memory" + size

    def _last_words(self):
        lines = [
            line.strip()
            for line in self._tail.decode("utf-8", "replace").splitlines()
            if line.strip()
        ]
        return " ({})".format(lines[-1][:200]) if lines else ""


def _oom_kills():
    """Return the kernel's count of out-of-memory kills since boot, None where it keeps none."""
    try:
        with open("/proc/vmstat") as stream:
            for line in stream:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except OSError:
        pass  # no such count here
    return None
