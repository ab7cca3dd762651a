"""The evaluation pass: the outputs of the very process that was timed, for the desk to score.

Reads an .npz with keys `in:NAME` (first dimension = samples) and writes one with the outputs in the model's
order under `out:0`, `out:1`, ... Needs numpy, which every real runtime brings.
"""


def evaluate(session, source, target, batch):
    """Run every evaluation sample in batches; the last one is filled up by repeating its end."""
    import numpy

    with numpy.load(source, allow_pickle=False) as stored:
        inputs = {key[3:]: stored[key] for key in stored.files if key.startswith("in:")}
    total = min(len(values) for values in inputs.values())
    collected = []
    for start in range(0, total, batch):
        picks = numpy.minimum(numpy.arange(start, start + batch), total - 1)
        feed = session.bind({name: values[picks] for name, values in inputs.items()})
        arrays = [numpy.array(value) for value in session.outputs(session.infer(feed)).values()]
        collected.append(arrays)
    columns = [numpy.concatenate(parts)[:total] for parts in zip(*collected)]
    with open(target, "wb") as stream:
        numpy.savez(stream, **{"out:{}".format(i): column for i, column in enumerate(columns)})
    return total
