"""The talk with an agent that is slow to listen, or says more than anybody wants to keep."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.errors import DeviceError
from harness.transport.dialogue import Dialogue, Gone
from harness.types import Json

_DEAF = "import sys\nsys.stdin.buffer.read()\n"
_LOUD = "import sys\nsys.stderr.write('x' * 50_000_000 + '\\nthe end\\n')\n"


@contextmanager
def _talk(program: str) -> Iterator[Dialogue]:
    log = tempfile.TemporaryFile()  # noqa: SIM115  the dialogue's to close
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        bufsize=0,
    )
    talk = Dialogue(process, "the agent", log)
    try:
        yield talk
    finally:
        talk.close()


def test_a_request_whose_time_is_over_between_two_looks_is_a_lost_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a desk that was suspended, or between two pieces of a long payload."""
    with _talk(_DEAF) as talk, monkeypatch.context() as patched:
        patched.setattr("time.monotonic", itertools.count(step=100.0).__next__)
        with pytest.raises(Gone, match="did not take a request within 30 s"):
            talk.last({"op": "chunk"}, 0.0, bytes(1 << 20))


def test_of_much_that_an_agent_complains_the_end_is_kept() -> None:
    with _talk(_LOUD) as talk:
        with pytest.raises(Gone, match="ended unexpectedly: the end"):
            talk.last({"op": "ping"}, 30.0)
        tracemalloc.start()
        words = talk.last_words()
        _, most_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert words.endswith("the end")
    assert most_bytes < 1_000_000


@pytest.mark.parametrize(
    "identity", [{}, {"cores": None}, {"cores": [{}]}, {"cores": [], "cpu_count": "4"}]
)
def test_an_identity_that_no_plan_can_be_made_of_is_a_sentence(identity: Json) -> None:
    answer = {"event": "finished", "id": 1, "identity": identity}
    program = f"input(); print({json.dumps(answer)!r}, flush=True); input()"
    with _talk(program) as talk, pytest.raises(DeviceError, match="an answer of no use"):
        talk.last({"op": "identify"}, 30.0)
