"""Set a board's settings for measuring, and put them back: what was before is on disk first.

The agent looks and writes; this side keeps the previous values in a file, so that a cut connection,
a crash or a second call loses none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from harness.errors import StoreError
from harness.session.boards import Transport
from harness.types import Json
from harness.whole_file import write_whole


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One setting: what it is, its values, the commands a person would type, why it was refused."""

    what: str
    before: str | None = None
    after: str | None = None
    command: str | None = None
    undo: str | None = None
    reason: str | None = None


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    """What was set or put back, what was refused and why, how many settings wait to be put back."""

    done: tuple[Change, ...]
    refused: tuple[Change, ...]
    pending: int


class _Step(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as the agent understands it, see harness/agent/tuning.py."""

    what: str
    kind: str
    path: str
    before: str
    after: str
    command: str
    undo: str


class _State(msgspec.Struct, frozen=True, kw_only=True):
    v: Literal[1]
    steps: tuple[_Step, ...]


def tune(transport: Transport, state: Path) -> Tuned:
    """Set what may be set; the previous values are in `state` before the first is written.

    Raises StoreError where they cannot be kept: then nothing was changed.
    """
    found = _ask(transport, {"do": "look"})
    earlier = _read(state)
    # A setting that was changed before keeps the value from before that change.
    kept = {step["path"]: step for step in [*found["steps"], *earlier]}
    _write(state, list(kept.values()))
    answer = _ask(transport, {"do": "set", "steps": found["steps"]})
    changed = {step["path"] for step in [*earlier, *answer["done"]]}
    left = [step for path, step in kept.items() if path in changed]
    _write(state, left)
    refused = [*found["refused"], *answer["refused"]]
    return Tuned(done=_changes(answer["done"]), refused=_changes(refused), pending=len(left))


def restore(transport: Transport, state: Path) -> Tuned:
    """Put back every value in `state`; what is refused stays there for another try."""
    steps = _read(state)
    if not steps:
        return Tuned(done=(), refused=(), pending=0)
    answer = _ask(transport, {"do": "undo", "steps": steps})
    left = {step["path"] for step in answer["refused"]}
    _write(state, [step for step in steps if step["path"] in left])
    return Tuned(
        done=_changes(answer["done"]), refused=_changes(answer["refused"]), pending=len(left)
    )


def _ask(transport: Transport, request: Json) -> Json:
    *_, last = transport.run({"op": "tune", "timeout_s": 60.0, **request})
    return last


def _changes(steps: Sequence[Json]) -> tuple[Change, ...]:
    return tuple(msgspec.convert(step, Change) for step in steps)


def _read(state: Path) -> list[Json]:
    try:
        kept = msgspec.json.decode(state.read_bytes(), type=_State)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"cannot read {state}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        advice = "put the settings back by hand and delete the file"
        raise StoreError(f"{state} does not hold previous values: {error}", advice) from error
    return [msgspec.to_builtins(step) for step in kept.steps]


def _write(state: Path, steps: list[Json]) -> None:
    """Keep `steps`; no file is left where there are none."""
    try:
        if not steps:
            state.unlink(missing_ok=True)
            return
        state.parent.mkdir(parents=True, exist_ok=True)
        write_whole(state, msgspec.json.encode({"v": 1, "steps": steps}))
    except OSError as error:
        advice = "name a folder that can be written in BOARDMARK_CACHE"
        raise StoreError(f"cannot write {state}: {error.strerror}", advice) from error
