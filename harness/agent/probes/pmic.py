"""The Raspberry Pi 5's power management chip, which measures the rails that it makes.

The firmware tells currents and voltages; a rail counts where both are known. EXT5V, the board's
input, has a voltage only: what hangs on it directly (USB ports, hats) is not in the sum.
"""

import re
import subprocess

from harness.agent import board, tree
from harness.agent.probes.recorder import Facts, Sampler
from harness.agent.tree import Unreadable

_PROGRAM = "/usr/bin/vcgencmd"
_SOC = "brcm,bcm2712"
_LINE = re.compile(r"(\w+)_([AV])\s+(?:current|volt)\(\d+\)=([0-9.]+)[AV]\Z")
_NOTE = "without what EXT5V feeds directly (USB, hats); a program is started for every reading"
# Each reading starts a process of some 10 ms: rare enough to stay below a tenth of one core.
_PERIOD_S = 0.2
_TIMEOUT_S = 2.0


def find(root):
    """Return a Sampler over the chip's rails; raise Unreadable on any other board."""
    try:
        soc = board.compatible(root)
    except Unreadable:
        soc = []
    if _SOC not in soc:
        raise Unreadable("no Raspberry Pi 5, whose power chip could be asked")
    if not tree.exists(root, _PROGRAM):
        raise Unreadable("%s does not exist" % _PROGRAM)

    def read():
        return total_w(_ask(tree.inside(root, _PROGRAM)))

    read()
    facts = Facts("pmic", "sampled", "module", _PROGRAM + " pmic_read_adc", _NOTE)
    return Sampler(facts, [("rails", read)], _PERIOD_S, cheap=False)


def total_w(told):
    """Return the sum of V * A over the rails of which `told` has both; raise without any."""
    rails = {"A": {}, "V": {}}  # type: dict
    for line in told.splitlines():
        match = _LINE.match(line.strip())
        if match:
            rails[match.group(2)][match.group(1)] = _real(match.group(3))
    watts = [ampere * rails["V"][name] for name, ampere in rails["A"].items() if name in rails["V"]]
    if not watts:
        raise Unreadable("vcgencmd pmic_read_adc tells of no rail: %r" % told.strip()[:60])
    return sum(watts)


def _real(word):
    try:
        return float(word)
    except ValueError:
        raise Unreadable("vcgencmd pmic_read_adc says %r" % word[:40]) from None


def _ask(program):
    try:
        answer = subprocess.check_output(
            [program, "pmic_read_adc"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
        )
    except subprocess.CalledProcessError as error:
        words = error.output.decode("utf-8", "replace").strip().splitlines()[:1]
        said = words[0][:80] if words else "exit status %d" % error.returncode
        raise Unreadable("vcgencmd pmic_read_adc: %s" % said) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreadable("vcgencmd cannot be asked: %s" % error) from error
    return answer.decode("utf-8", "replace")
