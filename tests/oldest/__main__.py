"""Run the agent's own tests on Python 3.6, got from Ubuntu's archive if it is not here yet."""

from __future__ import annotations

import sys

from oldest import interpreter
from oldest.run import run


def main() -> int:
    """Return 0 where all tests pass, 1 where one fails, 3 where the interpreter cannot be had."""
    try:
        python = interpreter.fetch()
    except interpreter.Unavailable as reason:
        sys.stderr.write(f"no Python 3.6 here: {reason}\n")
        return 3
    done = run(python, interpreter.environment())
    sys.stdout.write(done.stdout)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
