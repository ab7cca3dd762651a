"""What the user asked for on top of a suite; None leaves the suite's own value."""

from __future__ import annotations

import msgspec


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The words of a `run` command after parsing, before anything is looked up.

    `soak_s` makes a soak of every case: one run of that many seconds.
    """

    suite: str
    device: str = "local"
    models: tuple[str, ...] | None = None
    variants: tuple[str, ...] | None = None
    backends: tuple[str, ...] | None = None
    batches: tuple[int, ...] | None = None
    threads: int | None = None
    cores: tuple[int, ...] | None = None
    blocks: int | None = None
    budget_s: float | None = None
    precision: float | None = None
    sample_s: float | None = None
    soak_s: float | None = None
    seed: int = 0
