"""The evaluation pass: the outputs of the very process that was timed, for the desk to score.

Reads an .npz with keys `in:NAME` (first dimension = samples) and writes one with the outputs in the
model's order under `out:0`, `out:1`, ... Needs numpy, which every real runtime brings.
"""

import os


def evaluate(session, wanted, specs, batch):
    """Run every sample of wanted["inputs"], write wanted["outputs"], return how many there were.

    A batched input takes `batch` samples per call (the last call is filled up by repeating the last
    sample); one that is not takes one sample as it is.
    """
    import numpy

    with numpy.load(wanted["inputs"], allow_pickle=False) as stored:
        inputs = {key[3:]: stored[key] for key in stored.files if key.startswith("in:")}
    batched = {spec["name"]: spec.get("batched", True) for spec in specs}
    step = batch if any(batched.values()) else 1
    total = min(len(values) for values in inputs.values())
    collected = []
    for start in range(0, total, step):
        picks = numpy.minimum(numpy.arange(start, start + step), total - 1)
        sample = {
            name: values[picks] if batched.get(name, True) else values[start]
            for name, values in inputs.items()
        }
        answer = session.outputs(session.infer(session.bind(sample)))
        collected.append([numpy.array(value) for value in answer.values()])
    columns = [_joined(numpy, parts, any(batched.values())) for parts in zip(*collected)]
    named = {}  # type: dict
    for number, column in enumerate(columns):
        named["out:{}".format(number)] = column[:total]
    _write(numpy, wanted["outputs"], named)
    return total


def _joined(numpy, parts, batched):
    """Return one array over all calls; a call that answers with one number has no axis to join."""
    return numpy.concatenate(parts) if batched and parts[0].ndim else numpy.stack(parts)


def _write(numpy, path, named):
    """Write the .npz whole or not at all: half of one could not be scored."""
    part = path + ".part"
    try:
        with open(part, "wb") as stream:
            numpy.savez(stream, **named)
        os.replace(part, path)
    except OSError:
        os.unlink(part)
        raise
