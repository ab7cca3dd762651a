"""One GET of a JSON answer from a device of the local network, bounded in time and in size."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from harness.transport.meters.reading import Gap

TIMEOUT_S = 2.0
LARGEST_BYTES = 1_000_000
_CHUNK_BYTES = 65_536


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https and follows nobody elsewhere.

    It knows no proxy either: a meter stands in this network.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def page(base: str, path: str, query: Mapping[str, str]) -> str:
    """Return the address of a page of the device at `base`, where a proxy may add a prefix."""
    return f"{base.rstrip('/')}{path}?{urllib.parse.urlencode(query, quote_via=urllib.parse.quote)}"


def answer(url: str, timeout_s: float = TIMEOUT_S) -> Any:
    """Return the JSON at `url`; Gap for anything else, and after `timeout_s` in any case."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise Gap("its address is neither http nor https")
    deadline = time.monotonic() + timeout_s
    try:
        with _opener().open(url, timeout=timeout_s) as response:
            body = _body(response, deadline, timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        moved = ": write the address it leads to" if 300 <= error.code < 400 else ""
        raise Gap(f"it answers with the status {error.code}{moved}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Gap(_why(error, timeout_s)) from None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Gap("its answer is no JSON") from None


def _body(response: http.client.HTTPResponse, deadline: float, timeout_s: float) -> bytes:
    """Return the whole answer: the time-out of a socket alone would let it drip for ever."""
    body = b""
    while chunk := response.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > LARGEST_BYTES:
            raise Gap(f"its answer is larger than {LARGEST_BYTES // 10**6} MB")
        if time.monotonic() > deadline:
            raise Gap(_late(timeout_s))
    return body


def _why(error: Exception, timeout_s: float) -> str:
    """Return why there is no answer; the errors' own texts may hold the address."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return _late(timeout_s)
    if isinstance(cause, OSError) and cause.strerror:
        return f"it cannot be reached: {cause.strerror.lower()}"
    return f"its answer breaks off or is no HTTP ({type(cause).__name__})"


def _late(timeout_s: float) -> str:
    return f"it did not answer within {timeout_s:g} s"
