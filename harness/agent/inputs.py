"""Inputs from a seed: a rotating set of buffers, so that no call sees the previous call's memory.

Specs are dicts {name, dtype, shape, low, high}. With numpy (every real runtime brings it) arrays
come from RandomState, whose stream is frozen for ever; without it flat `array` objects come from
random.Random, which is all the null backend needs. Integers lie in [low, high): a token id never
leaves its vocabulary.
"""

_SET_BYTES = 16 * 1024 * 1024
_MAX_BUFFERS = 8
_WIDEST_BYTES = 8


def draw(specs, seed):
    """Return between 2 and 8 feeds {name: array}; fewer where eight would pass 16 MB."""
    feed_bytes = sum(_count(spec["shape"]) * _WIDEST_BYTES for spec in specs) or 1
    buffers = max(2, min(_MAX_BUFFERS, _SET_BYTES // feed_bytes))
    try:
        import numpy
    except ImportError:
        return _draw_plain(specs, seed, buffers)
    state = numpy.random.RandomState(seed)
    return [{spec["name"]: _array(numpy, state, spec) for spec in specs} for _ in range(buffers)]


def describe(feeds):
    """Return what the result should remember of the inputs."""
    return {"mode": "fresh", "buffers": len(feeds)}


def _count(shape):
    total = 1
    for size in shape:
        total *= size
    return total


def _array(numpy, state, spec):
    shape, dtype = spec["shape"], spec["dtype"]
    low, high = spec.get("low"), spec.get("high")
    if dtype == "bool":
        return (
            state.randint(0, 2, size=shape).astype("bool")
            if low is None
            else numpy.ones(shape, "bool")
        )
    if dtype.startswith(("int", "uint")):
        low = 0 if low is None else low
        high = 2 if high is None else high
        return state.randint(int(low), max(int(high), int(low) + 1), size=shape).astype(dtype)
    if low is None or high is None:
        return state.standard_normal(size=shape).astype(dtype)
    return state.uniform(low, high, size=shape).astype(dtype)


def _draw_plain(specs, seed, buffers):
    import random
    from array import array

    source = random.Random(seed)
    feeds = []
    for _ in range(buffers):
        feed = {}
        for spec in specs:
            numbers = (source.gauss(0, 1) for _ in range(_count(spec["shape"])))
            feed[spec["name"]] = array("d", numbers)
        feeds.append(feed)
    return feeds
