"""A supervisor that a desk reached over a network: the board is held for it and takes its files."""

import os

from harness.agent import hold
from harness.agent.arrive import WRITABLE
from harness.agent.depot import Depot


def settle(session):
    """Hold the board and open the cache; return (facts of the answer, operations or None).

    The facts are {"cache", "outputs"}, or {"refused": sentence, "advice": the next step} where
    there is nothing to serve.
    """
    cache = session["cache"]
    depot = Depot(cache, session["token"], session.get("cache_limit_bytes"))
    try:
        hold.take(os.path.join(cache, "agents"), session)
        depot.open()
    except hold.Refused as refused:
        return {"refused": str(refused), "advice": "wait until it ends, or end it over there"}, None
    except OSError as error:
        why = "cannot write %s: %s" % (error.filename or cache, error.strerror)
        return {"refused": why, "advice": WRITABLE}, None
    return {"cache": cache, "outputs": depot.outputs}, depot.operations()
