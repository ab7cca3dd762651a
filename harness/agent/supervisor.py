"""Requests on stdin, events on stdout, both JSON lines; one measured child per run.

    {"op": "identify"}                        -> {"event": "finished", "identity": {...}}
    {"op": "probe", "backend": name}          -> {"event": "finished", "status", "reason", "result"}
    {"op": "run", "backend", "artifact", ...} -> {"event": "phase", "name"} ..., "finished" with
                                                 status, reason, result
    {"op": "tune", "do": "look"|"set"|"undo"} -> {"event": "finished", ...}, see tuning.answer
    {"op": "close"} or end of input           -> the supervisor leaves

Every event carries the request's "id". Where a network lies in between: see arrival and depot.
"""

import os
import resource
import signal
import time

from harness.agent import content, cooling, launch, probes
from harness.agent.desk import Answer, Desk
from harness.agent.metering import Meter
from harness.agent.sentinel import Sentinel
from harness.agent.watch import Watch

# A desk that is reached over a network may vanish without a word.
IDLE_S = 15 * 60.0
# One per supervisor: what it read after one run may serve before the next.
_SENTINEL = Sentinel()
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main(session=None):
    """Serve requests until the input ends or the desk is gone; return 0.

    `session` is what the desk said on its arrival over a network: the board is then held for it,
    it may bring files, and a silence of IDLE_S is the end. None: started by the desk itself.
    """
    desk = Desk(IDLE_S if session else None, attached=session is not None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the desk's to handle
    signal.signal(signal.SIGTERM, _leave)
    operations = dict(_OPERATIONS)
    if session:
        from harness.agent import arrival

        settled, served = arrival.settle(session)
        Answer(desk, session["id"]).emit("finished", **settled)
        if served is None:
            return 0
        operations.update(served)
    for request in desk.requests():
        answer = Answer(desk, request.get("id"))
        answer.emit("finished", **operations[request["op"]](request, answer))
    return 0


def _leave(number, frame):
    """End as if the input had: on the way out a run that goes on is ended with its child."""
    raise SystemExit(0)


def _identify(request, events):
    from harness.agent import identify

    return {"identity": identify.identify(request.get("root", "/"))}


def _tune(request, events):
    from harness.agent import tuning

    return tuning.answer(request)


def _measure(request, events):
    """Wait until the board is cool, start the child, watch it, meter its energy pass, bury it."""
    refused = _refuse(request)
    if refused:
        return refused
    timeout_s = request.get("timeout_s", 300)
    cool_down = cooling.wait(request.get("cool"), request.get("root", "/"), events.emit)
    onlookers = _Onlookers(request, events)
    surroundings = _Surroundings(request)
    began = time.time()
    start = time.monotonic()
    child = launch.Child(onlookers.meter.request, _environment(request))
    last = {"phase": "start", "result": {}}  # type: dict
    verdict = None
    try:
        for message in child.watch(onlookers.tick, onlookers.wait_s):
            verdict = _note(message, last, onlookers, events) or verdict
    finally:
        child.kill()
        ended = child.ending(timeout_s)
    status, reason = verdict or ended
    result = dict(last["result"], phase=last["phase"])
    duration_s = time.monotonic() - start
    result["host"] = surroundings.end()
    result["last_memory"] = child.last_memory
    result.update(onlookers.found(result), **({"cool_down": cool_down} if cool_down else {}))
    return {
        "status": status,
        "reason": reason,
        "started_unix_s": began,
        "duration_s": duration_s,
        "result": result,
    }


class _Onlookers:
    """What reads sensors during a child's life: the meter of its energy pass, and the watch."""

    def __init__(self, request, events):
        self.meter = Meter(request, events.emit)
        self._watch = Watch(request)
        self._desk = events

    def wait_s(self):
        return self._watch.wait_s(self.meter.wait_s(launch.POLL_S))

    def tick(self):
        self._desk.check()
        self.meter.tick()
        self._watch.tick()

    def hear(self, message):
        self.meter.hear(message)
        if message.get("say") == "phase":
            self._watch.hear(message["name"])

    def found(self, result):
        watched = self._watch.result(result.get("timed_begin_ns"))
        return dict({"power": self.meter.power}, **({"watch": watched} if watched else {}))


class _Surroundings:
    """What else the machine did during a child's life: made before it starts, ended after it."""

    def __init__(self, request):
        self._cores = request.get("affinity")
        self._timed = request["op"] == "run"
        self._sentinel_ns = _SENTINEL.before(self._cores) if self._timed else None
        self._used_s = _cpu_s()
        self._before = probes.host.snapshot()

    def end(self):
        """Return what `host.delta` gives, with foreign_share, child_cpu_s and sentinel_ns."""
        after = probes.host.snapshot()
        own_s, child_s = (now - then for now, then in zip(_cpu_s(), self._used_s))
        found = probes.host.delta(self._before, after)
        found["foreign_share"] = probes.host.foreign_share(self._before, after, own_s + child_s)
        found["child_cpu_s"] = child_s
        if self._timed:
            found["sentinel_ns"] = [self._sentinel_ns, _SENTINEL.after(self._cores)]
        return found


def _cpu_s():
    """Return the CPU seconds of this process and of its reaped children with their trees."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(each) for each in who]
    return [usage.ru_utime + usage.ru_stime for usage in usages]


def _refuse(request):
    """Return a failed answer where a file of the artifact is not the one that was built, else None.

    A torch artifact carries program text: it runs only if its content is what the desk vouches for.
    """
    wanted = dict(request.get("sha256s") or {})
    if request.get("sha256"):
        wanted[request["artifact"]] = request["sha256"]
    reason = None
    for path in sorted(wanted):
        try:
            if content.sha256(path) != wanted[path]:
                reason = "{} is not the file that was built: its content changed".format(path)
        except OSError as error:
            reason = "cannot read {}: {}".format(path, error.strerror)
    if reason is None:
        return None
    now = time.time()
    return {
        "status": "failed",
        "reason": reason,
        "started_unix_s": now,
        "duration_s": 0.0,
        "result": {"phase": "start"},
    }


def _note(message, last, onlookers, events):
    """Take one message in; return (status, reason) when it is the last."""
    word = message.get("say")
    onlookers.hear(message)
    if word == "phase":
        last.update(phase=message["name"], result=message["result"])
        events.emit("phase", name=message["name"])
    elif word == "done":
        last.update(phase="done", result=message["result"])
        return "ok", None
    elif word == "failed":
        return message["status"], message["reason"]
    return None


def _environment(request):
    """Return the child's environment: ours, with the thread counts of the request."""
    environment = dict(os.environ)
    threads = (request.get("options") or {}).get("threads")
    for name in _THREAD_VARIABLES:
        if threads:
            environment[name] = str(threads)
    # numpy's own BLAS pool is of no use to a runtime and would show up as threads and memory.
    environment["OPENBLAS_NUM_THREADS"] = "1"
    return environment


_OPERATIONS = {"identify": _identify, "probe": _measure, "run": _measure, "tune": _tune}
