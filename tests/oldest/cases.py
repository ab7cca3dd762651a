# ruff: noqa: B905, PTH118, PTH123, PTH208, UP031 -- zip(strict=) is younger than Python 3.6; the agent's own style
"""What the agent must do on any Python from 3.6 on: run by the interpreter that is tested.

It knows the standard library and agent.pyz, nothing else; `oldest/run.py` starts it.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import unittest

AGENT = os.environ["BOARDMARK_AGENT"]
TREES = os.environ["BOARDMARK_TREES"]
sys.path.insert(0, AGENT)

with open(os.environ["BOARDMARK_EXPECTED"]) as handle:
    EXPECTED = json.load(handle)
SAMPLING = {
    "warmup_calls": 3,
    "warmup_s": 0.01,
    "min_samples": 5,
    "max_samples": 30,
    "min_s": 0.0,
    "budget_s": 0.5,
    "precision": None,
}
BRIEF = dict(SAMPLING, max_samples=5)


def tree(board):
    return os.path.join(TREES, board)


def talk(*requests):
    """Return the events of one agent that is asked all this and then closed."""
    lines = "".join(json.dumps(dict(row, id=at)) + "\n" for at, row in enumerate(requests))
    process = subprocess.Popen(
        [sys.executable, "-B", AGENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    told, _ = process.communicate(lines.encode("utf-8"), timeout=60)
    if process.returncode:
        raise AssertionError("the agent ended with %d" % process.returncode)
    return [json.loads(line) for line in told.decode("utf-8").splitlines()]


def ends(*requests):
    return [event for event in talk(*requests) if event["event"] == "finished"]


class Identification(unittest.TestCase):
    """The same answers for every tree as on the interpreter that packed the agent."""

    def test_every_board(self):
        from harness.agent.identify import identify

        self.assertGreaterEqual(len(EXPECTED), 10)
        for board in sorted(EXPECTED):
            with self.subTest(board=board):
                facts = json.loads(json.dumps(identify(tree(board))))
                self.assertEqual(facts.pop("python"), platform.python_version())
                self.assertEqual(facts.pop("python_bits"), 64 if sys.maxsize > 2**32 else 32)
                self.assertEqual(facts, EXPECTED[board])

    def test_over_the_protocol(self):
        last = ends(*({"op": "identify", "root": tree(board)} for board in sorted(EXPECTED)))
        self.assertEqual(
            [row["identity"]["soc"] for row in last],
            [EXPECTED[board]["soc"] for board in sorted(EXPECTED)],
        )

    def test_this_machine(self):
        facts = ends({"op": "identify"})[0]["identity"]
        self.assertEqual(facts["python"], platform.python_version())
        self.assertGreater(facts["ram_bytes"], 1 << 28)


class Probes(unittest.TestCase):
    """Every board's sensors, read and metered."""

    def test_every_source_can_be_asked_on_every_board(self):
        from harness.agent import probes
        from harness.agent.tree import Unreadable

        for board in sorted(EXPECTED):
            found = []
            for name, find in probes.REGISTRY:
                with self.subTest(board=board, probe=name):
                    try:
                        probe = find(tree(board))
                    except Unreadable as reason:
                        self.assertTrue(str(reason))
                        continue
                    found.append(name)
                    probe.start()
                    probe.sample()
                    probe.stop()
            source = EXPECTED[board]["power"]["source"]
            self.assertEqual(source["name"] if source else None, found[0] if found else None)


class Runs(unittest.TestCase):
    """The null backend plays the runtime."""

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)

    def request(self, script, **more):
        artifact = os.path.join(self._folder.name, "%d.null" % len(os.listdir(self._folder.name)))
        with open(artifact, "w") as handle:
            json.dump(dict({"latency_us": 200}, **script), handle)
        row = {
            "op": "run",
            "backend": "null",
            "artifact": artifact,
            "options": {"threads": 1},
            "affinity": None,
            "inputs": [{"name": "x", "dtype": "float32", "shape": [1, 4]}],
            "seed": 1,
            "batch": 1,
            "sampling": SAMPLING,
            "energy_s": 0,
            "timeout_s": 20,
        }
        return dict(row, **more)

    def test_a_probe_of_a_runtime(self):
        last = ends({"op": "probe", "backend": "null", "timeout_s": 20})[0]
        self.assertEqual(last["status"], "ok", last)

    def test_a_run(self):
        last = ends(self.request({}))[0]
        self.assertEqual(last["status"], "ok", last["reason"])
        self.assertEqual(len(last["result"]["samples_ns"]), 30)
        self.assertGreater(min(last["result"]["samples_ns"]), 150000)
        self.assertGreater(last["result"]["memory"]["baseline"]["hwm_bytes"], 1 << 20)

    def test_every_way_to_fail_and_a_run_after_them(self):
        fails = ("load", "infer", "crash", "abort", "hang")
        limits = {"hang": 2}  # the others end by themselves, on a busy machine in their own time
        rows = [self.request({"fail": fail}, timeout_s=limits.get(fail, 20)) for fail in fails]
        rows.append(self.request({}))
        found = [row["status"] for row in ends(*rows)]
        self.assertEqual(found, ["failed", "failed", "crashed", "crashed", "timeout", "ok"])

    def test_a_runtime_that_is_not_installed(self):
        last = ends({"op": "probe", "backend": "tflite-runtime", "timeout_s": 20})[0]
        self.assertEqual(last["status"], "skipped", last)
        self.assertIn("tflite_runtime", last["reason"])

    def test_power_and_heat_of_every_board_with_a_sensor(self):
        boards = [board for board in sorted(EXPECTED) if EXPECTED[board]["power"]["source"]]
        self.assertGreaterEqual(len(boards), 5)
        rows = [
            self.request({}, root=tree(board), energy_s=0.6, watch_hz=5, idle_s=0.1, sampling=BRIEF)
            for board in boards
        ]
        for board, last in zip(boards, ends(*rows)):
            with self.subTest(board=board):
                self.assertEqual(last["status"], "ok", last["reason"])
                power = last["result"]["power"]
                self.assertEqual(power["name"], EXPECTED[board]["power"]["source"]["name"])
                self.assertGreater(power["n"], 0)

    def test_tuning_looks_at_every_board(self):
        rows = [{"op": "tune", "do": "look", "root": tree(board)} for board in sorted(EXPECTED)]
        for row in ends(*rows):
            self.assertIn("steps", row)


if __name__ == "__main__":
    sys.stdout.write("python %s\n" % platform.python_version())
    sys.stdout.flush()
    unittest.main(verbosity=1)
