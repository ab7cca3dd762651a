"""What toolchains say: their chatter is kept away, of their errors the telling line is kept."""

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

TAIL_BYTES = 4000


@contextmanager
def quietly() -> Iterator[None]:
    """Send what is written to stdout and stderr to a file, and ignore warnings, meanwhile.

    Toolchains print from C++, so descriptors 1 and 2 themselves are turned, for the whole process.
    When an exception leaves the block, the end of the file goes to the real stderr: an error is
    never hidden with the noise.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    failed = True
    with tempfile.TemporaryFile() as chatter, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)
        os.dup2(chatter.fileno(), 1)
        os.dup2(chatter.fileno(), 2)
        text = io.TextIOWrapper(chatter, errors="replace", write_through=True)
        try:
            with redirect_stdout(text), redirect_stderr(text):
                yield
            failed = False
        finally:
            text.detach()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            os.close(kept[0])
            os.close(kept[1])
            logging.disable(level)
            if failed:
                size = chatter.seek(0, os.SEEK_END)
                chatter.seek(max(0, size - TAIL_BYTES))
                os.write(2, chatter.read())


def first_line(error: BaseException, limit: int = 200) -> str:
    """Return the first line of a toolchain's exception that says something, shortened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"
