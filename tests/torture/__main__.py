"""Carry out the campaigns and rewrite the table of docs/durability.md.

    make torture

Ends with 1 if anything was lost, doubled or promised in vain.
"""
# ruff: noqa: T201  a command of the project's own: it tells how it goes

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import time

from . import (
    bad_agents,
    clocks,
    crowd,
    damage,
    disk_errors,
    document,
    file_limits,
    kills,
    memory_limits,
    poison,
    power_cuts,
    real_kills,
    small_disks,
    stops,
)
from .records import Campaign, Row, Scope

CAMPAIGNS: tuple[Campaign, ...] = (
    kills.CAMPAIGN,
    real_kills.CAMPAIGN,
    disk_errors.CAMPAIGN,
    file_limits.CAMPAIGN,
    small_disks.CAMPAIGN,
    stops.CAMPAIGN,
    clocks.CAMPAIGN,
    memory_limits.CAMPAIGN,
    power_cuts.CAMPAIGN,
    damage.CAMPAIGN,
    crowd.CAMPAIGN,
    poison.CAMPAIGN,
    bad_agents.CAMPAIGN,
)


def main() -> int:
    """Play the campaigns that are named, or all; a full round of all rewrites the document."""
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("campaigns", nargs="*", metavar="CAMPAIGN", help=", ".join(_names()))
    parser.add_argument("--reduced", action="store_true", help="a selection of some seconds")
    args = parser.parse_args()
    if wrong := set(args.campaigns) - set(_names()):
        parser.error(f"unknown campaign {min(wrong)!r}; known: {', '.join(_names())}")
    wanted = [one for one in CAMPAIGNS if one.name in (args.campaigns or _names())]
    rows = _played(wanted, "reduced" if args.reduced else "full")
    print(document.table(rows))
    if len(wanted) == len(CAMPAIGNS) and not args.reduced:
        content = f"{document.table(rows)}\n\n{_where()}"
        document.DOCUMENT.write_text(document.inserted(document.DOCUMENT.read_text(), content))
    lost, doubled = sum(row.lost for row in rows), sum(row.duplicated for row in rows)
    print(f"{sum(row.cases for row in rows):,} faults: {lost} lost, {doubled} duplicated")
    return 0 if all(row.holds for row in rows) else 1


def _names() -> list[str]:
    return [one.name for one in CAMPAIGNS]


def _played(campaigns: list[Campaign], scope: Scope) -> list[Row]:
    rows = []
    for campaign in campaigns:
        begin = time.monotonic()
        for row in campaign.play(scope):
            rows.append(row)
            print(f"{campaign.name}: {row.fault}: {row.cases} cases {row.note}", flush=True)
            for sentence in row.broken:
                print(f"    {sentence}", flush=True)
        print(f"{campaign.name}: {time.monotonic() - begin:.0f} s", flush=True)
    return rows


def _where() -> str:
    today = datetime.datetime.now(tz=datetime.timezone.utc).date()
    system = f"Linux {platform.release()} on {platform.machine()}"
    return f"{today}, {system}, Python {platform.python_version()}."


if __name__ == "__main__":
    sys.exit(main())
