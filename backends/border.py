"""What every adapter does at its border: vendor exceptions, names and shapes of inputs.

An adapter keeps a table {vendor exception class: kind}; None stands for the kind of the phase,
"load" or "infer".
"""

import contextlib
import re

from backends import TABLE, BackendError, one_line

_READABLE = 240
# What vendors put before the trouble itself: their own source files and codes.
_NOISE = re.compile(
    r"^(Exception from .*|Check '.*' failed at .*|FrontEnd API failed with .*"
    r"|\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .* failed:)?)",
    re.M,
)
_ALLOCATION = re.compile(r"bad_alloc|out of memory|(not |n't |fail\w* to )allocate", re.I)


def missing(name, error):
    """Return the BackendError for a runtime that cannot be imported, with the way to get it."""
    return BackendError(
        "missing",
        "{} cannot be imported here ({}); get it with: {}".format(
            name, one_line(error, 120), TABLE[name]["install"]
        ),
    )


def translate(kinds, error, phase):
    """Return the BackendError for a vendor's exception; the most specific class in `kinds` wins."""
    message = _say(error)
    if isinstance(error, MemoryError) or _ALLOCATION.search(str(error)):
        return BackendError("memory", "the runtime could not allocate memory: " + message)
    kind = next((kinds[c] for c in type(error).__mro__ if c in kinds), None)
    lead = {"load": "the model was refused: ", "infer": "inference failed: "}[phase]
    return BackendError(kind or phase, lead + message)


def _say(error):
    """Return the vendor's first sentences, as many as make a readable line."""
    text = one_line(_NOISE.sub("", str(error)).strip() or type(error).__name__)
    sentences = re.split(r"(?<=[^.\s])\. (?=[A-Z])", text)
    said = sentences.pop(0)
    while sentences and len(said) + len(sentences[0]) < _READABLE:
        said += ". " + sentences.pop(0)
    return said.rstrip(".")


@contextlib.contextmanager
def translated(kinds, phase):
    """Turn what the runtime raises inside the block into a BackendError with it as the cause."""
    try:
        yield
    except BackendError:
        raise
    except (MemoryError,) + tuple(kinds) as error:
        raise translate(kinds, error, phase) from error


def in_order(values, inputs):
    """Return the values of {name: value} in the order of the runtime's `inputs`.

    By name where every name is known to the runtime, otherwise by position: converters rename
    inputs (args_0, args_1, ...) but keep their order. BackendError where their numbers differ.
    """
    names = [entry["name"] for entry in inputs]
    if len(values) != len(names):
        raise BackendError(
            "infer",
            "the model takes {} inputs ({}), {} were given ({})".format(
                len(names), ", ".join(names), len(values), ", ".join(values)
            ),
        )
    if all(name in values for name in names):
        return [values[name] for name in names]
    return list(values.values())


def require_shapes(inputs, shapes):
    """Raise BackendError("unsupported") where a bound shape contradicts the model's."""
    if not shapes:
        return
    for entry, wanted in zip(inputs, in_order(shapes, inputs)):
        declared = wanted if entry["shape"] is None else entry["shape"]
        fits = len(declared) == len(wanted) and all(
            fixed in (-1, size) for fixed, size in zip(declared, wanted)
        )
        if not fits:
            raise BackendError(
                "unsupported",
                "input {!r} of the model is {} (-1 is open), {} was asked for".format(
                    entry["name"], list(declared), list(wanted)
                ),
            )


def leading(counts):
    """Return the key with the highest count of {key: count}, None where nothing was counted."""
    return max(sorted(counts), key=counts.get) if counts else None
