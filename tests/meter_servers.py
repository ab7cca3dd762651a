"""Power meters on the loopback: real HTTP servers that answer like a Shelly, a Tasmota or neither.

`Device.power_w` and what else it holds may be changed while it runs; `fault` is a function that
takes the request's handler and answers in the meter's place.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from devices.lab import Meter

JOULES_PER_WH = 3600.0


class Device:
    """A meter of constant power whose counter runs on; `step_wh` is the counter's resolution."""

    def __init__(self, power_w: float = 5.0, step_wh: float | None = None) -> None:
        self.power_w = power_w
        self.step_wh = step_wh
        self.fault: Callable[[Any], None] | None = None
        self.paths: list[str] = []
        self._began = time.monotonic()

    def energy_wh(self) -> float:
        """Return what the counter shows."""
        true_wh = 1000.0 + self.power_w * (time.monotonic() - self._began) / JOULES_PER_WH
        return true_wh if self.step_wh is None else true_wh // self.step_wh * self.step_wh

    def answer(self, path: str, query: dict[str, list[str]]) -> Any:
        """Return the document at a path, None where there is none."""
        if path == "/rpc/Switch.GetStatus" and query.get("id") == ["2"]:
            counter = {"total": self.energy_wh(), "by_minute": [0.0, 0.0, 0.0], "minute_ts": 0}
            return {"id": 2, "apower": self.power_w, "voltage": 230.1, "aenergy": counter}
        if path == "/cm" and query.get("cmnd") == ["Status 8"]:
            energy = {"Total": self.energy_wh() / 1000, "Power": self.power_w, "Voltage": 229}
            return {"StatusSNS": {"Time": "2026-11-20T14:15:00", "ENERGY": energy}}
        if path == "/all":
            return {"phases": [{"watts": 1.0}, {"switch:0": {"watts": self.power_w}}]}
        return None


@contextlib.contextmanager
def served(device: Device) -> Iterator[str]:
    """Serve a device; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            device.paths.append(self.path)
            if device.fault:
                device.fault(self)
                return
            parts = urllib.parse.urlsplit(self.path)
            document = device.answer(parts.path, urllib.parse.parse_qs(parts.query))
            reply(self, json.dumps(document).encode(), 404 if document is None else 200)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(handler: Any, body: bytes, status: int = 200, **headers: str) -> None:
    """Send an answer; a client that is gone by then is no failure."""
    with contextlib.suppress(OSError):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


def meter(kind: str, url: str, scope: str = "board", **fields: Any) -> Meter:
    """Return what a lab file would say of a meter."""
    more = {"channel": 2} if kind == "shelly" else {}
    path = {"power_path": "phases[1].switch:0.watts"} if kind == "http-json" else {}
    return Meter(kind=kind, url=url, scope=scope, **(more | path | fields))  # type: ignore[arg-type]
