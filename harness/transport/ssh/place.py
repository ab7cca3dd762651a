"""Where a board is, as `ssh` has to be told: from a lab file's entry, checked word by word."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec

from devices import address
from devices.lab import Reachable


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A board on the network; what is None is left to the OpenSSH configuration.

    `name` is the lab's, `config` a configuration file in place of the user's own,
    `cache_limit_bytes` what the artifacts on the board may take, None: the usual.
    """

    name: str
    host: str
    user: str | None = None
    port: int | None = None
    config: Path | None = None
    cache_limit_bytes: int | None = None

    @classmethod
    def of(cls, entry: Reachable) -> Place:
        """Return the place of a lab file's entry; UsageError where its address is none."""
        where = address.parse(entry.address)
        return cls(
            name=entry.name,
            host=where.host,
            user=where.user,
            port=where.port,
            config=entry.ssh_config,
            cache_limit_bytes=entry.cache_limit_bytes,
        )

    @property
    def options(self) -> list[str]:
        """Return the arguments of `ssh` that say who, by which port and by which configuration."""
        return self._way + (["-l", self.user] if self.user else [])

    @property
    def _way(self) -> list[str]:
        found = ["-F", str(self.config)] if self.config else []
        return found + (["-p", str(self.port)] if self.port else [])

    @property
    def by_hand(self) -> str:
        """Return what a person types to connect."""
        return shlex.join(
            ["ssh", *self._way, f"{self.user}@{self.host}" if self.user else self.host]
        )
