"""A run starts only when the board is about as cool as it was when the session began."""

import time

from harness.agent.probes import thermal
from harness.agent.tree import Unreadable

POLL_S = 1.0


def wait(asked, root, tell):
    """Wait until the hottest zone is at most asked["below_c"]; return the run's cool_down.

    {"waited_s", "from_c": at first, "start_c": in the end, "below_c", "timed_out", "reason"}; the
    reason says why nobody could wait, None elsewhere. None where nothing is asked. While it goes
    on the desk is told once a second: it then knows that the board lives, and one that is gone
    ends the agent by its broken pipe.
    """
    if not asked:
        return None
    begin = time.monotonic()
    found = {"below_c": asked["below_c"], "timed_out": False, "reason": None}
    found.update(from_c=None, start_c=None)
    while True:
        try:
            hottest_c = max(thermal.temperature(root).values())
        except Unreadable as reason:
            found.update(start_c=None, reason=str(reason))
            break
        if found["from_c"] is None:
            found["from_c"] = hottest_c
        found["start_c"] = hottest_c
        if hottest_c <= asked["below_c"]:
            break
        if time.monotonic() - begin >= asked["timeout_s"]:
            found["timed_out"] = True
            break
        tell("phase", name="cooling", hottest_c=hottest_c, below_c=asked["below_c"])
        time.sleep(POLL_S)
    found["waited_s"] = time.monotonic() - begin
    return found
