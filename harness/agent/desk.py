"""The agent's end of the talk with the desk: request lines and payloads in, events out.

Reads descriptor 0 itself, without a buffer that others do not see: it has to know at any time
whether the desk is still there, and what follows a request line may be the bytes of a file.
"""

import json
import os
import select

# Linux's value: not every build of Python 3.6 names it.
_POLLRDHUP = getattr(select, "POLLRDHUP", 0x2000)
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL | _POLLRDHUP
_BLOCK_BYTES = 1 << 18


class Desk:
    """Whoever asks: on a descriptor pair that only the protocol uses from here on."""

    def __init__(self, idle_s=None, attached=False):
        """Take descriptors 0 and 1 over.

        `idle_s` is how long to wait for a request before leaving, None: for ever. `attached` means
        that the desk holds the input open as long as it lives, so that its end is the desk's. What
        is piped into an agent by hand ends before it is answered.
        """
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)  # whatever prints by accident cannot break the protocol
        self._idle_s = idle_s
        self._attached = attached
        self._buffer = b""
        self._poll = select.poll()
        self._poll.register(self._stream.fileno(), 0)
        if attached:
            self._poll.register(0, _POLLRDHUP)

    def requests(self):
        """Yield the requests until the input ends, "close" is asked or nothing was for too long."""
        while True:
            line = self._line()
            request = json.loads(line.decode("utf-8")) if line else {"op": "close"}
            if request["op"] == "close":
                return
            yield request

    def read(self, size):
        """Yield the `size` bytes behind a request line; SystemExit where they end too early."""
        while size:
            if not self._buffer:
                self._buffer = os.read(0, _BLOCK_BYTES)
            if not self._buffer:
                raise SystemExit(0)
            block, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(block)
            yield block

    def emit(self, event, **facts):
        """Tell the desk; SystemExit where nobody listens any more."""
        facts.update(event=event)
        try:
            self._stream.write(json.dumps(facts) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            raise SystemExit(0) from None

    def check(self):
        """Raise SystemExit where the desk is gone: what goes on for it is to end."""
        for _, seen in self._poll.poll(0):
            if seen & _GONE:
                raise SystemExit(0)

    def _line(self):
        """Return the next line, empty at the end of the input or after too long a silence."""
        waiting = select.poll()
        waiting.register(0, select.POLLIN)
        while b"\n" not in self._buffer:
            if not waiting.poll(None if self._idle_s is None else self._idle_s * 1000):
                return b""
            block = os.read(0, _BLOCK_BYTES)
            if not block:
                # By hand the last line may lack its end; half a line of a lost desk is nothing.
                line, self._buffer = self._buffer, b""
                return b"" if self._attached else line
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


class Answer:
    """One request's way back to the desk: what is said over it carries the request's id."""

    def __init__(self, desk, identifier):
        """Take the desk and the id that every event is to carry."""
        self._desk = desk
        self._identifier = identifier
        self.read = desk.read
        self.check = desk.check

    def emit(self, event, **facts):
        """Tell the desk, see Desk.emit."""
        self._desk.emit(event, **dict(facts, id=self._identifier))
