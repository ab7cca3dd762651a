"""What may stand in an address, a path or a URL of a lab file: lists of what is allowed.

Every field ends up in an argument of `ssh`, in the command line that the board's login shell reads
or in a request to a meter. So nothing that means something to any of them gets this far: no option
(a leading '-'), no shell syntax, no space, no control character.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.parse

import msgspec

from harness.errors import UsageError

# A name of the DNS, or of a Host in an OpenSSH configuration.
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,31}")
_ZONE = re.compile(r"[A-Za-z0-9]{1,15}")
_ADDRESS = re.compile(
    r"(?:(?P<user>[^@:\[\]]*)@)?(?:\[(?P<v6>[^\[\]]*)\]|(?P<host>[^@:\[\]]*))(?::(?P<port>[^@:\[\]]*))?"
)
_PATH = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+@-]{0,1023}")
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?&=%+,\[\]-]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SHAPE = "write user@host, user@host:port or user@[IPv6 address]:port"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where an SSH server is; what is None is left to the OpenSSH configuration."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        """Return it the way a lab file writes it: user@host:port, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"{user}{host}" + (f":{self.port}" if self.port else "")


def parse(text: str) -> Address:
    """Return the address written as [user@]host[:port]; UsageError says what is wrong with it."""
    found = _ADDRESS.fullmatch(text)
    if not found:
        raise UsageError(f"{_quoted(text)} is no address", _SHAPE)
    user, port = found["user"], found["port"]
    if user is not None and not _USER.fullmatch(user):
        raise UsageError(f"the user {_quoted(user)} is no user name", _SHAPE)
    host = _ipv6(found["v6"]) if found["v6"] is not None else found["host"]
    if not _HOST.fullmatch(host) and found["v6"] is None:
        raise UsageError(f"the host {_quoted(host)} is no host name", _SHAPE)
    return Address(host=host, user=user, port=_port(port) if port is not None else None)


def _ipv6(text: str) -> str:
    plain, percent, zone = text.partition("%")
    try:
        ipaddress.IPv6Address(plain)
    except ValueError as error:
        raise UsageError(f"{_quoted(text)} is no IPv6 address", _SHAPE) from error
    if percent and not _ZONE.fullmatch(zone):
        raise UsageError(f"{_quoted(zone)} is no network interface", _SHAPE)
    return text


def _port(text: str) -> int:
    # isascii too: isdigit holds for digits of every script
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise UsageError(f"{_quoted(text)} is no port", "a port is a number from 1 to 65535")
    return int(text)


def path(text: str) -> str:
    """Return a path that any program and shell takes for one word; UsageError otherwise."""
    if not _PATH.fullmatch(text):
        raise UsageError(
            f"{_quoted(text)} is no path that can be handed on",
            "use letters, digits and any of _ . / + @ - and begin with none of the last three",
        )
    return text


def url(text: str) -> str:
    """Return an http or https URL without credentials; UsageError otherwise."""
    advice = "write http://host, with a path and a query where the meter needs them"
    if not _URL.fullmatch(text):
        raise UsageError(f"{_quoted(text)} is no http address", advice)
    try:
        parts = urllib.parse.urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{_quoted(text)} is no http address: {error}", advice) from error
    if not host or not (":" in host or _HOST.fullmatch(host)):
        raise UsageError(f"{_quoted(text)} names no host", advice)
    return text


def name(text: str) -> str:
    """Return a name that can stand in a command line, a file name and a list; UsageError else."""
    if not _NAME.fullmatch(text):
        raise UsageError(
            f"{_quoted(text)} cannot be a board's name",
            "use letters, digits and any of . _ - and begin with a letter or a digit",
        )
    return text


def _quoted(text: str) -> str:
    """Return text as it may be shown in a sentence: quoted, control characters escaped, short."""
    shown = ascii(text)
    return shown if len(shown) <= 80 else f"{shown[:79]}…"
