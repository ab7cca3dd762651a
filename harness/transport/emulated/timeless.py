"""What is left of an agent's answer when everything that an emulator falsifies is taken out.

Only what is listed here passes, so that a figure that an agent learns to report later stays out
until somebody decides about it.
"""

from __future__ import annotations

from harness.types import Json

# Of a run's result. Memory is that of the emulating process: the emulator's own is in it.
_KEPT = (
    "phase", "python", "runtime", "inputs", "memory", "peak_rss_bytes", "peak_anon_bytes",
    "peak_file_bytes", "last_memory", "evidence", "evaluated", "version",
)  # fmt: skip


def answer(event: Json) -> Json:
    """Return a last event without any time: samples, durations, clocks, loads and power are gone.

    `duration_s` is 0, which a run must have; the date at which it started is no measurement.
    """
    kept: Json = {name: event[name] for name in ("event", "status", "reason") if name in event}
    if "started_unix_s" in event:
        kept |= {"started_unix_s": event["started_unix_s"], "duration_s": 0.0}
    result = event.get("result") or {}
    kept["result"] = {name: result[name] for name in _KEPT if name in result}
    return kept


def explained(answer: Json, board: str, cpu: str) -> Json:
    """Return a death of an instruction as what it is: the runtime does not run on `board`.

    It is no failure of the session, whose question it answers, but a case to be left out.
    """
    if answer["status"] != "crashed" or "SIGILL" not in (answer["reason"] or ""):
        return answer
    phase = answer["result"].get("phase")
    where = f" after the phase {phase!r}" if phase not in (None, "start") else ""
    return {
        **answer,
        "status": "skipped",
        "reason": f"does not run on the {board}: it died of SIGILL{where}, an instruction that"
        f" {cpu} lacks",
    }
