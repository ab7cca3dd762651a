"""What `python agent.pyz` runs: the supervisor, or with `--child FD` one measured child.

`--session JSON` is how `arrive` starts the supervisor on a board.
"""

import json
import sys


def main(argv=None):
    """Dispatch on the arguments; return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["--child"]:
        from harness.agent import child

        return child.main(int(argv[1]))
    if argv[:1] == ["--session"]:
        from harness.agent import supervisor

        return supervisor.main(json.loads(argv[1]))
    if argv:
        sys.stderr.write("usage: agent.pyz   (requests as JSON lines on stdin, events on stdout)\n")
        return 2
    from harness.agent import supervisor

    return supervisor.main()
