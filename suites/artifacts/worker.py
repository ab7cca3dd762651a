"""The build worker: everything heavy or unsafe happens here, in a process that may die alone.

`python -m suites.artifacts.worker` reads one JSON request on stdin and answers with JSON lines on a
private descriptor, so that no toolchain's chatter on stdout can break the protocol. Requests and
their answers:

    {"job": "inspect", "path", "kind"}          {"inspection": {...}}
    {"job": "hub", "id"}                        {"directory": "..."}
    {"job": "prepare", "source", "out"}         {"prepared": seconds}
    {"job": "variants", "source", "prepared", "toolchain", "builds": [{"variant", "out"}]}
                                                per variant {"start": variant}, then {"variant",
                                                "seconds"} with "built", "unsupported" or "failed"

`source` is {"word", "given", "cache"}. Instead of an answer: {"usage": [message, advice]} for bad
input, {"disk": reason} where nothing can be written, {"failed": reason}. The last line is always
{"end": true}.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.errors import UsageError
from harness.types import Json
from suites.artifacts.cache import is_full, write_json
from suites.artifacts.inspection import cached_inspector, direct_inspector
from suites.models import Evaluation, ModelOptions, Source, resolve
from suites.models.content import files_sha256
from suites.variants import Built, Unsupported

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG)


def main() -> None:
    """Answer the one request on stdin."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # from here on whatever a toolchain prints goes to the log
    request = msgspec.json.decode(sys.stdin.buffer.read())

    def say(message: Json) -> None:
        channel.write(msgspec.json.encode(message) + b"\n")
        channel.flush()

    for message in _guarded(lambda: JOBS[request["job"]](request)):
        say(message)
    say({"end": True})


def answer_inspect(request: Json) -> Iterator[Json]:
    """Open a user's file and tell its inputs and outputs."""
    seen = direct_inspector().file(Path(request["path"]), request["kind"])
    yield {"inspection": msgspec.to_builtins(seen)}


def answer_hub(request: Json) -> Iterator[Json]:
    """Fetch a snapshot of the hub and tell where it lies."""
    yield {"directory": str(direct_inspector().hub(request["id"]))}


def answer_prepare(request: Json) -> Iterator[Json]:
    """Make a model's material and evaluation in the empty directory `out`."""
    started = time.monotonic()
    source, out = _source(request["source"]), Path(request["out"])
    source.prepare(out)
    save_evaluation(out / "evaluation.npz", source.evaluation(out))
    seconds = time.monotonic() - started
    write_json(out / "prepared.json", {"model": source.model, "seconds": seconds})
    yield {"prepared": seconds}


def answer_variants(request: Json) -> Iterator[Json]:
    """Make each wanted variant of one model with one toolchain, each in its own empty directory."""
    import importlib

    tools = importlib.import_module(request["toolchain"])
    material = _source(request["source"]).material(Path(request["prepared"]))
    for wanted in request["builds"]:
        variant, out = wanted["variant"], Path(wanted["out"])
        yield {"start": variant}
        started = time.monotonic()
        for outcome in _guarded(lambda v=variant, o=out: _build(tools, v, material, o)):  # type: ignore[misc]
            if "failed" in outcome and is_full(out):
                yield {"disk": "no space left on device"}
                return
            yield {"variant": variant, "seconds": time.monotonic() - started, **outcome}


JOBS: dict[str, Callable[[Json], Iterator[Json]]] = {
    "inspect": answer_inspect,
    "hub": answer_hub,
    "prepare": answer_prepare,
    "variants": answer_variants,
}


def save_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Write an evaluation as one .npz: `in:NAME`, `out:NAME`, `labels`."""
    arrays: dict[str, Any] = {f"in:{name}": array for name, array in evaluation.inputs.items()}
    arrays.update({f"out:{name}": array for name, array in evaluation.reference.items()})
    if evaluation.labels is not None:
        arrays["labels"] = evaluation.labels
    with path.open("wb") as stream:
        np.savez(stream, **arrays)


def _source(record: Json) -> Source:
    inspector = cached_inspector(Path(record["cache"]), direct_inspector())
    return resolve(record["word"], ModelOptions.from_json(record["given"]), inspector)


def _build(tools: Any, variant: str, material: Any, out: Path) -> Iterator[Json]:
    """Make one variant and describe its files, relative to `out`."""
    built: Built = tools.build(variant, material, out)
    files = sorted(path for path in out.rglob("*") if path.is_file())
    main_file = out / built.path.relative_to(out)
    names = [path.relative_to(out).as_posix() for path in files if path != main_file]
    yield {
        "built": {
            "path": main_file.relative_to(out).as_posix(),
            "files": names,
            "sha256": files_sha256(files, out),
            "size_bytes": sum(path.stat().st_size for path in files),
            "notes": list(built.notes),
        }
    }


def _guarded(job: Callable[[], Iterator[Json]]) -> Iterator[Json]:
    """Yield the job's messages; what it raises becomes its last message."""
    try:
        yield from job()
    except Unsupported as refusal:
        yield {"unsupported": str(refusal)}
    except UsageError as error:
        yield {"usage": [error.message, error.advice]}
    except ImportError as error:
        yield {"failed": f"a package is missing: {_first_line(error)}"}
    except MemoryError:
        yield {"failed": "memory ran out while building"}
    except OSError as error:
        if error.errno in NO_ROOM:
            yield {"disk": error.strerror or str(error)}
        else:
            yield {"failed": _sentence(error)}
    except (
        Exception
    ) as error:  # a toolchain may raise anything; its words become the skipped row's reason
        yield {"failed": _sentence(error)}


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else "no message")[:300]


if __name__ == "__main__":
    main()
