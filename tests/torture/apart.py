"""Cases tried in processes of their own: one that ends or hangs its process costs no other."""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

from .records import Finding

# What a case may take: reading a few small files takes a hundredth.
LIMIT_S = 60.0
LIMIT_BYTES = 12 * 2**30
_BATCH = 200

Try = Callable[[Any], Finding]


def findings(do: Try, cases: Sequence[Any], workers: int | None = None) -> Iterator[Finding]:
    """Yield what `do`, a function of a module, finds of each case; in order.

    As many processes as there are processors share the work, or `workers`.
    """
    workers = workers or os.cpu_count() or 1
    batches = [cases[at : at + _BATCH] for at in range(0, len(cases), _BATCH)]
    with ThreadPoolExecutor(workers) as pool:
        for found in pool.map(lambda batch: _batch(do, batch), batches):
            yield from found


def _batch(do: Try, cases: Sequence[Any]) -> list[Finding]:
    """Try some cases one after the other, in a new process after each that ended one."""
    found: list[Finding] = []
    while len(found) < len(cases):
        with _Worker(do) as worker:
            while len(found) < len(cases):
                case = cases[len(found)]
                answer = worker.ask(case)
                found.append(answer or worker.end(case))
                if answer is None:
                    break
    return found


class _Worker:
    """One process that answers each case with a finding."""

    def __init__(self, do: Try) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._cases, theirs = spawn.Pipe()
        self._said = tempfile.NamedTemporaryFile()  # noqa: SIM115  lives as long as the process
        self._process = spawn.Process(
            target=_serve, args=(do, theirs, self._said.name), daemon=True
        )
        self._process.start()
        theirs.close()

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._cases.close()
        self._process.join(10)
        self._process.kill()
        self._process.join()
        self._said.close()

    def ask(self, case: Any) -> Finding | None:
        """Return the finding, None where the process ended or hangs."""
        try:
            self._cases.send(case)
            if self._cases.poll(LIMIT_S):
                answer: Finding = self._cases.recv()
                return answer
        except (EOFError, OSError):
            pass
        return None

    def end(self, case: Any) -> Finding:
        """Return the finding about a case that the process did not survive."""
        self._process.join(1)
        code = self._process.exitcode
        how = f"did not end within {LIMIT_S:.0f} s" if code is None else f"ended it with {code}"
        words = self._said.read().decode(errors="replace").strip().splitlines()
        last = f" ({words[-1][:200]})" if words else ""
        return Finding(tracebacks=1, broken=(f"{case.name}: the process {how}{last}",))


def _serve(do: Try, cases: Connection, said: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    os.dup2(os.open(said, os.O_WRONLY | os.O_APPEND), 2)
    while True:
        try:
            case = cases.recv()
        except EOFError:
            return
        cases.send(do(case))
