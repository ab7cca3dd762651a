"""Where a bucket is served, by the variables and the config file that every AWS tool reads.

Credentials are not read here: the SDK below Arrow finds them by itself, in AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, in the profile that AWS_PROFILE names, or from the machine's role.
"""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path

import msgspec

from harness.errors import UsageError
from results.storage import shown

_ENDPOINT = re.compile(r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?/?")
_USUAL_REGION = "us-east-1"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the service: None as `endpoint` is Amazon's own for the region."""

    region: str
    scheme: str = "https"
    endpoint: str | None = None
    certificates: str | None = None
    """A file of trusted certificates in PEM; None is the system's."""

    @property
    def name(self) -> str:
        """The endpoint as a URL, for sentences."""
        host = self.endpoint or f"s3.{self.region}.amazonaws.com"
        return f"{self.scheme}://{host}"


def settings() -> Settings:
    """Return what the variables say, and where they are silent the profile; UsageError."""
    environ, profile = os.environ, _profile()
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or profile.get("region")
    url = (
        environ.get("AWS_ENDPOINT_URL_S3")
        or environ.get("AWS_ENDPOINT_URL")
        or profile.get("endpoint_url")
    )
    scheme, endpoint = _split(url) if url else ("https", None)
    return Settings(
        region=region or _USUAL_REGION,
        scheme=scheme,
        endpoint=endpoint,
        certificates=environ.get("AWS_CA_BUNDLE") or profile.get("ca_bundle"),
    )


def _split(url: str) -> tuple[str, str]:
    """Return the scheme and the host of an endpoint."""
    found = _ENDPOINT.fullmatch(url)
    if found is None:
        raise UsageError(
            f"AWS_ENDPOINT_URL is not an endpoint: {shown(url)!r}",
            "write it like https://host:9000",
        )
    return found[1], found[2] + (found[3] or "")


def _profile() -> dict[str, str]:
    """Return the chosen profile of the config file; empty where there is none."""
    named = os.environ.get("AWS_CONFIG_FILE")
    path = Path(named).expanduser() if named else Path.home() / ".aws" / "config"
    parser = configparser.ConfigParser(interpolation=None, strict=False, default_section="")
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"cannot read {str(path)!r}: {reason}", "mend it, or name another with AWS_CONFIG_FILE"
        ) from error
    name = os.environ.get("AWS_PROFILE") or "default"
    for section in (f"profile {name}", name):
        if parser.has_section(section):
            return dict(parser.items(section))
    return {}
