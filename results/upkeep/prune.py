"""Remove old sessions for good: as many as asked for stay, of each device the newest."""

from __future__ import annotations

import calendar
import contextlib
import re
import time
from collections.abc import Iterator, Sequence

import msgspec

from harness.errors import StoreError, UsageError
from results import parts
from results.catalog import Catalog
from results.storage import Storage
from results.store import Store
from results.upkeep import removal, rewrite
from results.upkeep.removal import Removed

_DAY_S = 86400
_KEEP = re.compile(r"([0-9]{1,6})(d?)")


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """What stays: the sessions of the last `days`, or the newest `sessions` of each device."""

    days: int | None = None
    sessions: int | None = None


def parse(text: str) -> Keep:
    """Return what --keep says: `90d` or `200`; UsageError for anything else, and for nothing."""
    found = _KEEP.fullmatch(text.strip())
    if found is None or not int(found[1]):
        raise UsageError(
            f"--keep is not a number of days or sessions: {text!r}",
            "90d keeps the last 90 days, 200 the newest 200 sessions of each device",
        )
    number = int(found[1])
    return Keep(days=number) if found[2] else Keep(sessions=number)


def prune(
    store: Store, keep: Keep, dry_run: bool = False, now_unix_s: float | None = None
) -> Removed:
    """Remove the sealed sessions that `keep` does not name; nothing but say so if `dry_run`.

    Days count back from the newest session, or from now where that is earlier: a clock that jumps
    ahead, or a lab that rests, must not empty a store. For the same reason a session from the
    future stays beside the newest and takes the place of none.
    """
    now = time.time() if now_unix_s is None else now_unix_s
    ahead: list[str] = []

    def going(catalog: Catalog) -> tuple[str, ...]:
        ahead[:] = (name for name in catalog.sessions() if _unix_s(name) > now + _DAY_S)
        return _going(store.storage, catalog, keep, now)

    found = removal.removed(store, going, dry_run)
    return msgspec.structs.replace(found, notes=tuple(_from_the_future(ahead)))


def _from_the_future(names: Sequence[str]) -> Iterator[str]:
    """Say that some sessions are dated after tomorrow, if any are."""
    if names:
        yield (
            f"{len(names)} sessions from the future stay and take the place of none, {names[0]!r}"
            " the first: look at the clocks"
            if len(names) > 1
            else f"session {names[0]!r} is from the future: it stays and takes the place of none"
        )


def _going(storage: Storage, catalog: Catalog, keep: Keep, now_unix_s: float) -> tuple[str, ...]:
    """Return the committed sessions that do not stay, oldest first; none from the future."""
    known = [name for name in catalog.sessions() if _unix_s(name) <= now_unix_s + _DAY_S]
    if not known:
        return ()
    if keep.days is not None:
        end = min(now_unix_s, _unix_s(known[-1]))
        return tuple(name for name in known if _unix_s(name) < end - keep.days * _DAY_S)
    devices = _devices(storage, catalog)
    by_device: dict[str | None, list[str]] = {}
    for name in known:
        by_device.setdefault(devices[name], []).append(name)
    by_device.pop(None, None)
    gone = {name for of_one in by_device.values() for name in of_one[: -(keep.sessions or 1)]}
    return tuple(sorted(gone))


def _devices(storage: Storage, catalog: Catalog) -> dict[str, str | None]:
    """Return the device of each committed session; None where its row cannot be read."""
    found: dict[str, str | None] = {}
    for part, out in catalog.live("sessions"):
        for name in part.sessions.keys() - out:
            found[name] = None
            with contextlib.suppress(parts.CorruptPartError, StoreError):
                found[name] = rewrite.place_of(storage, part, name).device
    return found


def _unix_s(session_id: str) -> float:
    """Return when a session began, as its id says."""
    try:
        return calendar.timegm(time.strptime(session_id[:15], "%Y%m%dT%H%M%S"))
    except ValueError:
        return float("inf")  # no such day: no one knows how old it is, so it stays
