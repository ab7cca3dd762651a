"""OpenVINO on the CPU: one stream, one request, static shapes, as a latency-bound program uses it.

Left alone the plugin takes bfloat16 wherever the CPU has it, even for f32 weights; so the wanted
precision is passed on as its hint. It may still choose another (f16 becomes bf16 on x86):
evidence() reports what was compiled.
"""

from collections import Counter

from backends import BackendError
from backends.border import in_order, leading, missing, translate, translated

_HINTS = {"f32": "f32", "f16": "f16", "bf16": "bf16"}
# Node types of the compiled graph that multiply matrices.
_PRODUCTS = (
    "FullyConnected",
    "MatMul",
    "Convolution",
    "Deconvolution",
    "RNNCell",
    "RNNSeq",
    "ScaledDotProductAttention",
    "PagedAttention",
    "LLMMLP",
    "QKVProjection",
)
_ON_WEIGHTS = " on weights of "
_HIDDEN = (
    "; whether integer weights are multiplied in i8, with activations quantized in groups of {}"
    " (0 = never), is not visible"
)
_KINDS = {
    "GeneralFailure": None,
    "InitializationFailure": None,
    "NotImplementedFailure": "unsupported",
    "OpConversionFailure": "unsupported",
    "OpValidationFailure": None,
}


def probe(options):
    """Import the runtime and tell its version."""
    return {"version": _version(_runtime())}


def open(path, options):  # the contract's verb
    """Read `path`, bind its shapes, compile it for the CPU."""
    runtime = _runtime()
    kinds = vendor_kinds(runtime)
    settings = {"PERFORMANCE_HINT": "LATENCY"}
    if options.get("threads"):
        settings["INFERENCE_NUM_THREADS"] = options["threads"]
    if options.get("precision"):
        settings["INFERENCE_PRECISION_HINT"] = _hint(options["precision"])
    with translated(kinds, "load"):
        core = runtime.Core()
        model = core.read_model(path)
    _reshape(model, options.get("shapes"), kinds)
    with translated(kinds, "load"):
        compiled = core.compile_model(model, "CPU", settings)
        return Session(runtime, compiled, kinds)


def vendor_kinds(runtime):
    """Return {vendor exception class: kind}; most of what it raises is a plain RuntimeError."""
    native = runtime._pyopenvino
    kinds = {getattr(native, name): kind for name, kind in _KINDS.items() if hasattr(native, name)}
    kinds.update({RuntimeError: None, ValueError: None, TypeError: None, OSError: None})
    return kinds


class Session:
    """A compiled model and its one infer request."""

    def __init__(self, runtime, compiled, kinds):
        """Create the request, which allocates the outputs."""
        self._runtime, self._compiled = runtime, compiled
        self._kinds, self._vendor = kinds, (MemoryError,) + tuple(kinds)
        self._infer = compiled.create_infer_request().infer
        self.inputs = [_describe(port, i) for i, port in enumerate(compiled.inputs)]
        self._names = [_name(port, "output", i) for i, port in enumerate(compiled.outputs)]

    def bind(self, arrays):
        """Return ({position: tensor over an array}, the arrays that own the memory)."""
        import numpy

        values = in_order(arrays, self.inputs)
        kept = [
            numpy.require(value, entry["dtype"], ["C_CONTIGUOUS", "WRITEABLE"])
            for entry, value in zip(self.inputs, values)
        ]
        tensor = self._runtime.Tensor
        return {i: tensor(value, shared_memory=True) for i, value in enumerate(kept)}, kept

    def infer(self, feed):
        """Run on the caller's own buffers; outputs are copied, for the next call reuses theirs."""
        try:
            return self._infer(feed[0], share_inputs=True)
        except self._vendor as error:
            raise translate(self._kinds, error, "infer") from error

    def outputs(self, raw):
        """Name the arrays."""
        return {name: raw[i] for i, name in enumerate(self._names)}

    def evidence(self):
        """Report the compiled properties and the precision of the graph's matrix products."""
        get = self._compiled.get_property
        devices = get("EXECUTION_DEVICES")
        nodes, products = _census(self._compiled.get_runtime_model())
        hint = get("INFERENCE_PRECISION_HINT").to_string()
        shares = ", ".join("{} {}".format(n, kind) for kind, n in sorted(products.items()))
        group = get("DYNAMIC_QUANTIZATION_GROUP_SIZE")
        main = leading(products) or hint
        arithmetic, _, weights = main.partition(_ON_WEIGHTS)
        hidden = weights.startswith(("i", "u"))
        return {
            "version": _version(self._runtime),
            "threads": get("INFERENCE_NUM_THREADS"),
            "provider": ", ".join(devices),
            "nodes_total": nodes,
            "nodes_on_provider": nodes if len(devices) == 1 else None,
            "precision": None if hidden and group else arithmetic,
            "detail": "matrix products: {}; inference precision {}; {} stream(s){}".format(
                shares or "none", hint, get("NUM_STREAMS"), _HIDDEN.format(group) if hidden else ""
            ),
        }

    def close(self):
        """Release the request and the model."""
        self._infer = self._compiled = None


def _runtime():
    try:
        import openvino
    except (ImportError, OSError) as error:
        raise missing("openvino", error) from error
    return openvino


def _version(runtime):
    """Return the release, 2026.4.1, without the build's number and branch."""
    return runtime.get_version().split("-")[0]


def _hint(precision):
    if precision not in _HINTS:
        raise BackendError(
            "unsupported", "openvino has no inference precision {!r}".format(precision)
        )
    return _HINTS[precision]


def _reshape(model, shapes, kinds):
    """Bind every dimension: a static graph is what a latency-bound application compiles."""
    if not shapes:
        return
    inputs = [{"name": _name(port, "input", i)} for i, port in enumerate(model.inputs)]
    wanted = dict(zip(range(len(inputs)), in_order(shapes, inputs)))
    try:
        with translated(kinds, "load"):
            model.reshape({model.inputs[i]: list(shape) for i, shape in wanted.items()})
    except BackendError as error:
        raise BackendError(
            "unsupported",
            "the model does not take the shapes {}: {}".format(
                list(wanted.values()), error.message
            ),
        ) from error


def _name(port, word, position):
    return port.get_any_name() if port.get_names() else "{}_{}".format(word, position)


def _describe(port, position):
    shape = [size.get_length() if size.is_static else -1 for size in port.get_partial_shape()]
    dtype = port.get_element_type().to_dtype().name
    return {"name": _name(port, "input", position), "dtype": dtype, "shape": shape}


def _census(graph):
    """Return the number of executed nodes and {precision: count} of their matrix products."""
    nodes = 0
    products: "Counter[str]" = Counter()
    for node in graph.get_ops():
        facts = node.get_rt_info()
        kind = facts["layerType"].astype(str)
        if kind in ("Const", "Input", "Output"):
            continue
        nodes += 1
        if kind in _PRODUCTS:
            products[_product(node, facts)] += 1
    return nodes, products


def _product(node, facts):
    """Return the arithmetic of a matrix product, and its weights' type where that is another.

    A kernel's name ends in the type of its activations (brgemm_avx512_i8); runtimePrecision is the
    narrowest type among the inputs and so calls compressed weights i8 that multiply in f32.
    """
    arithmetic = facts["primitiveType"].astype(str).lower().rsplit("_", 1)[-1].replace("u8", "i8")
    inputs = node.inputs()
    weights = inputs[1].get_element_type().to_string() if len(inputs) > 1 else arithmetic
    if arithmetic == "i8" or weights in (arithmetic, "dynamic"):
        return arithmetic
    return arithmetic + _ON_WEIGHTS + weights
