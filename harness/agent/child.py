"""One measured process: import the runtime, load, infer, warm up, time, look at memory, leave.

Reads one request from stdin and speaks JSON lines over a private descriptor, so that a runtime that
writes to stdout cannot break anything. Every message is {"say": word, ...}; the last one is "done"
or "failed".
"""

import json
import os
import resource
import sys
import time
from array import array

from harness.agent import memory
from harness.agent.probes import host

# What a backend could not do -> the run's status; everything else is "failed".
_STATUS = {"memory": "oom", "missing": "skipped", "unsupported": "skipped"}

# OpenMP's threads spin for 0.2 s after their last work, which is no rest.
_SETTLE_S = 0.3


class _Channel:
    def __init__(self, descriptor):
        self._descriptor = descriptor

    def say(self, word, **facts):
        # Samples stay in compact arrays until here: as lists they would show in the peak memory.
        text = json.dumps(dict(facts, say=word), allow_nan=False, default=array.tolist)
        data = text.encode("utf-8") + b"\n"
        while data:
            data = data[os.write(self._descriptor, data) :]


class _Failed(Exception):
    """Carries (status, reason) out of the phases."""


def main(descriptor):
    """Carry out the request on stdin; return 0 even for a failed run: the failure is the answer."""
    baseline = memory.read()
    channel = _Channel(descriptor)
    request = json.load(sys.stdin)
    _prefer_to_be_killed()
    try:
        if request["op"] == "probe":
            channel.say("done", result=_import(request["backend"]))
        else:
            channel.say("done", result=_run(request, channel, baseline))
    except _Failed as failure:
        channel.say("failed", status=failure.args[0], reason=failure.args[1])
    except MemoryError:
        channel.say("failed", status="oom", reason="Python could not allocate memory (MemoryError)")
    # Leave without the runtimes' exit handlers: a crash there would spoil a finished measurement.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _prefer_to_be_killed():
    try:
        with open("/proc/self/oom_score_adj", "w") as stream:
            stream.write("1000")
    except OSError:
        pass  # a sandbox: the kernel then chooses by size, which is this process anyway


def _guarded(action, *arguments):
    """Call into a backend; turn what it raises into a reason."""
    from backends import BackendError, one_line

    try:
        return action(*arguments)
    except BackendError as error:
        raise _Failed(_STATUS.get(error.kind, "failed"), error.message) from error
    except MemoryError:
        raise
    except Exception as error:  # whatever else a runtime raises here is this run's result
        reason = "{}: {}".format(type(error).__name__, one_line(error))
        raise _Failed("failed", reason) from error


def _import(name):
    import backends

    return _guarded(backends.load(name).probe, backends.TABLE[name]["fixed"])


def _run(request, channel, baseline):
    from harness.agent import inputs, sampling

    result = {"memory": {"baseline": baseline}, "python": sys.version.split()[0]}  # type: dict
    result["affinity"] = _pin(request.get("affinity"))
    resets = memory.reset()

    start = sampling.clock_ns()
    result["runtime"] = _import(request["backend"])
    result["import_s"] = (sampling.clock_ns() - start) / 1e9
    resets = _phase(channel, result, "imported") and resets

    feeds = inputs.draw(request["inputs"], request["seed"])
    result["inputs"] = inputs.describe(feeds)
    # Drawing takes wider numbers than the inputs have; that peak is ours, not the model's.
    memory.reset()

    session, result["load_s"] = _open(request)
    resets = _phase(channel, result, "loaded") and resets

    feeds = [_guarded(session.bind, feed) for feed in feeds]
    infer = session.infer
    if request.get("slow_down"):
        result["slow_down"] = request["slow_down"]
        infer = sampling.slowed(infer, request["slow_down"])
    start = sampling.clock_ns()
    _guarded(infer, feeds[0])
    result["first_inference_s"] = (sampling.clock_ns() - start) / 1e9
    channel.say("phase", name="first", result=result)

    _time(infer, feeds, request["sampling"], result)
    resets = _phase(channel, result, "steady") and resets
    result["memory"]["reset"] = resets
    result.update(memory.peaks(result["memory"]))
    result["evidence"] = _guarded(session.evidence)
    channel.say("phase", name="timed", result=result)

    if request.get("energy_s"):
        _spend(request, channel, infer, feeds)
    if request.get("evaluate"):
        result["evaluated"] = _evaluate(session, request)
    session.close()
    return result


def _pin(cores):
    if cores:
        try:
            os.sched_setaffinity(0, cores)
        except (OSError, ValueError) as error:
            raise _Failed("failed", "cannot pin to cores {}: {}".format(cores, error)) from error
    return sorted(os.sched_getaffinity(0))


def _open(request):
    import backends
    from harness.agent import sampling

    module = backends.load(request["backend"])
    options = dict(request.get("options") or {}, **backends.TABLE[request["backend"]]["fixed"])
    start = sampling.clock_ns()
    session = _guarded(module.open, request["artifact"], options)
    return session, (sampling.clock_ns() - start) / 1e9


def _phase(channel, result, name):
    result["memory"][name] = memory.read()
    channel.say("phase", name=name, result=result)
    return memory.reset()


def _time(infer, feeds, wanted, result):
    """Warm up and sample; note what this process and its machine did meanwhile."""
    from harness.agent import sampling, soak

    keys = ("min_samples", "max_samples", "min_s", "budget_s", "precision")
    rule = sampling.Rule(**{key: wanted[key] for key in keys if key in wanted})
    machine = host.snapshot()
    before = _usage()
    warm = _guarded(sampling.warm_up, infer, feeds, wanted["warmup_calls"], wanted["warmup_s"])
    if wanted.get("soak"):
        held = wanted["budget_s"], wanted["max_samples"]
        timing, calls, every = _guarded(soak.sample, infer, feeds, *held)
        result.update(timed_calls=calls, kept_every=every)
    else:
        timing = _guarded(sampling.sample, infer, feeds, rule)
    after = _usage()
    result["timed_host"] = host.delta(machine, host.snapshot())
    result["own"] = {key: after[key] - before[key] for key in before}
    result.update(
        warmup_ns=warm + timing.warmup_ns,
        fixed_warmup_calls=len(warm),
        samples_ns=timing.samples_ns,
        stop_reason=timing.reason,
        timed_wall_s=timing.wall_s,
        timed_begin_ns=timing.begin_ns,
        steady=timing.steady,
    )


def _usage():
    """Return what this process has used so far, its threads together."""
    from harness.agent import sampling

    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "wall_s": sampling.clock_ns() / 1e9,
        "cpu_s": used.ru_utime + used.ru_stime,
        "involuntary_switches": used.ru_nivcsw,
        "voluntary_switches": used.ru_nvcsw,
        "major_faults": used.ru_majflt,
    }


def _spend(request, channel, infer, feeds):
    """Rest with the model loaded, where that is asked for, then call; say when each begins."""
    from harness.agent import sampling

    if request.get("idle_s"):
        time.sleep(_SETTLE_S)
        channel.say("idle_begin")
        time.sleep(request["idle_s"])
        channel.say("idle_end")
    channel.say("energy_begin")
    calls, wall_s = _guarded(sampling.repeat_for, infer, feeds, request["energy_s"])
    channel.say("energy_end", inferences=calls * request.get("batch", 1), wall_s=wall_s)


def _evaluate(session, request):
    from harness.agent import outputs

    arguments = request["evaluate"], request["inputs"], request.get("batch", 1)
    return _guarded(outputs.evaluate, session, *arguments)
