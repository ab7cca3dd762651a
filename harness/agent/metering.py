"""Power in a pass of its own after the samples: at rest where that is asked for, then at work.

Reading a meter costs time and power that latency samples must not contain. The child says when its
idle and its working part begin and end; meanwhile the supervisor reads the source.
"""

import statistics

from harness.agent import board, probes
from harness.agent.beat import Beat
from harness.agent.probes import rapl, recorder
from harness.agent.tree import Unreadable

_METER = "put a meter into the board's supply or at the wall and name it in lab.toml"
_GUEST = "measure on the machine itself: a guest is shown no power"


class Meter(object):
    """Reads the board's power while the child spends some, if somebody asked and there is a source.

    `request` is what the child is to be told: without a source it is spared the pass, unless the
    desk reads an external meter meanwhile. `power` is the run's result["power"].
    """

    def __init__(self, request, tell):
        """Look for a source; `tell(event, **facts)` speaks to the desk."""
        self.request = dict(request)
        self._tell = tell if request.get("external_meter") else None
        self._probe = None
        self._idle = None
        self._beat = Beat()
        self._facts = {}  # type: dict
        self.power = {"reason": "not asked for"}  # type: dict
        if request.get("energy_s"):
            self._find(request.get("root", "/"))

    def _find(self, root):
        self._probe, others, reasons = probes.survey(root)
        if self._probe is None:
            reason = "; ".join(reasons) or "no power sensor found"
            self.power = {"reason": reason, "advice": _advice(root, reasons)}
            if self._tell is None:
                self.request["energy_s"] = 0
            return
        self._facts = probes.describe(self._probe)
        self._facts.update(period_s=self._probe.period_s, others=others, others_reasons=reasons)
        self.power = {"reason": "the run ended before its pass for power did"}

    def wait_s(self, otherwise_s):
        """Return how long the supervisor may sleep until the source is to be read again."""
        return self._beat.wait_s(otherwise_s)

    def tick(self):
        """Read the source if that is due."""
        if self._beat.due():
            self._probe.sample()

    def hear(self, message):
        """Take in what the child says of its pass; pass over what is not of it."""
        word = message.get("say")
        if word not in ("idle_begin", "idle_end", "energy_begin", "energy_end"):
            return
        if word.endswith("begin"):
            self._begin()
        elif word == "idle_end":
            self._idle = self._end()
        else:
            self._finish(self._end(), message["inferences"], message["wall_s"])
        if self._tell is not None:
            known = {key: message[key] for key in ("inferences", "wall_s") if key in message}
            self._tell("phase", name=word, **known)

    def _begin(self):
        if self._probe is not None:
            self._probe.start()
            self._beat.start(self._probe.period_s)
            self._beat.due()  # start() was the first read

    def _end(self):
        self._beat.stop()
        return None if self._probe is None else self._probe.stop()

    def _finish(self, worked, inferences, wall_s):
        """Put the result together: gross figures first, then those at rest and the net."""
        if worked is not None:
            self.power = dict(worked, **self._facts)
        self.power.update(inferences=inferences, workload_wall_s=wall_s)
        if worked is None:
            return
        if worked["power_w"] is None:
            self.power["advice"] = _longer(worked, self._probe.window_s)
        elif inferences:
            per_inference_s = wall_s / inferences
            self.power["energy_per_inference_j"] = worked["power_w"] * per_inference_s
            if self._idle and self._idle["power_w"] is not None:
                net_w = worked["power_w"] - self._idle["power_w"]
                self.power["net_energy_per_inference_j"] = net_w * per_inference_s
        if self._idle:
            self.power.update(_at_rest(self._idle))


def _at_rest(idle):
    """Return what was read with the model loaded and nothing to do, as keys of the result."""
    watts = recorder.powers_w(idle["series"])
    return {
        "idle_w": idle["power_w"],
        "idle_sd_w": statistics.stdev(watts) if len(watts) > 1 else None,
        "idle_n": idle["n"],
        "idle_reason": idle["reason"],
        "idle_series": idle["series"],
    }


def _longer(worked, window_s):
    if worked["missed"]:
        return "look at what keeps {} from being read".format(worked["source"])
    return "make the energy pass {:g} s long: this source needs that".format(window_s)


def _advice(root, reasons):
    """Return the way to a figure where no source can be read: a right, the host, or a meter."""
    if any(rapl.FIX in reason for reason in reasons):
        return rapl.FIX
    try:
        guest = board.hypervisor(root)
    except Unreadable:
        guest = None
    return _GUEST if guest else _METER
