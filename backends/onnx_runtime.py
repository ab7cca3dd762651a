"""ONNX Runtime on the CPU, driven as an application would: session.run with a fresh feed per call.

The precision is the file's: there is no switch for another, so options["precision"] is not looked
at and evidence() says what runs. Open dimensions stay open: binding them changed no latency.
"""

import io
from collections import Counter

from backends import BackendError
from backends.border import in_order, missing, require_shapes, translate, translated

_PROVIDER = "CPUExecutionProvider"
_TYPES = {"float": "float32", "double": "float64"}
# Kinds by the vendor's class names; None = the phase's own.
_KINDS = {
    "DeviceReset": None,
    "EPFail": None,
    "EngineError": None,
    "Fail": None,
    "InvalidArgument": None,
    "InvalidGraph": None,
    "InvalidProtobuf": None,
    "ModelLoadCanceled": None,
    "ModelLoaded": None,
    "ModelRequiresCompilation": "unsupported",
    "NoModel": None,
    "NoSuchFile": None,
    "NotFound": None,
    "NotImplemented": "unsupported",
    "RuntimeException": None,
}
# Operators that multiply matrices, by the end of their names; integer ones among them by the start.
_PRODUCTS = ("MatMul", "Gemm", "Conv", "ConvTranspose", "Attention", "LSTM", "GRU", "RNN", "Einsum")
_INTEGER = (
    "QLinearMatMul",
    "QLinearConv",
    "QGemm",
    "QAttention",
    "DynamicQuantizeMatMul",
    "DynamicQuantizeLSTM",
)
_NARROW = ("NBits", "Bnb4", "QMoE")


def probe(options):
    """Import the runtime; its version and the execution providers it was built with."""
    runtime = _runtime()
    return {"version": runtime.__version__, "providers": runtime.get_available_providers()}


def open(path, options):  # the contract's verb
    """Load `path` for the CPU provider with all graph optimizations."""
    runtime = _runtime()
    settings = runtime.SessionOptions()
    settings.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    settings.inter_op_num_threads = 1
    if options.get("threads"):
        settings.intra_op_num_threads = options["threads"]
    # Costs neither latency nor memory; without it no provider can be asked what it took.
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    kinds = vendor_kinds(runtime)
    with translated(kinds, "load"):
        native = runtime.InferenceSession(path, settings, providers=[_PROVIDER])
    native.disable_fallback()  # a provider that fails must be seen, not replaced
    session = Session(runtime, native, kinds)
    require_shapes(session.inputs, options.get("shapes"))
    return session


def vendor_kinds(runtime):
    """Return {vendor exception class: kind} for the classes this version of the runtime has."""
    state = runtime.capi.onnxruntime_pybind11_state
    kinds = {getattr(state, name): kind for name, kind in _KINDS.items() if hasattr(state, name)}
    # What its Python layer raises itself: wrong feeds, wrong types, unreadable files.
    kinds.update({ValueError: None, RuntimeError: None, OSError: None})
    return kinds


class Session:
    """A loaded ONNX model."""

    def __init__(self, runtime, native, kinds):
        """Look the names up once, so that infer() is one call."""
        self._runtime, self._native = runtime, native
        self._kinds, self._vendor = kinds, (MemoryError,) + tuple(kinds)
        self._run = native.run
        self._names = [output.name for output in native.get_outputs()]
        self.inputs = [_describe(entry) for entry in native.get_inputs()]

    def bind(self, arrays):
        """Return {the model's name: array of the model's dtype}."""
        import numpy

        values = in_order(arrays, self.inputs)
        return {
            entry["name"]: numpy.ascontiguousarray(value, dtype=entry["dtype"])
            for entry, value in zip(self.inputs, values)
        }

    def infer(self, feed):
        """Run the graph; a list of arrays in the model's order."""
        try:
            return self._run(self._names, feed)
        except self._vendor as error:
            raise translate(self._kinds, error, "infer") from error

    def outputs(self, raw):
        """Name the arrays."""
        return dict(zip(self._names, raw))

    def evidence(self):
        """Report the session's threads and the nodes its provider took when the graph was split."""
        threads = self._native.get_session_options().intra_op_num_threads
        facts = {
            "version": self._runtime.__version__,
            "threads": threads or None,
            "provider": ", ".join(self._native.get_providers()),
            "nodes_total": None,
            "nodes_on_provider": None,
            "precision": None,
            "detail": "this version does not tell which nodes a provider took",
        }
        if hasattr(self._native, "get_provider_graph_assignment_info"):
            groups = self._native.get_provider_graph_assignment_info()
            nodes = [(group.ep_name, node) for group in groups for node in group.get_nodes()]
            facts["nodes_total"] = len(nodes)
            facts["nodes_on_provider"] = sum(name == _PROVIDER for name, _ in nodes)
            facts["precision"], facts["detail"] = _precision(node.op_type for _, node in nodes)
        return facts

    def close(self):
        """Release the session."""
        self._run = self._native = None


def _runtime():
    try:
        import onnxruntime
    except (ImportError, OSError) as error:
        raise missing("onnxruntime", error) from error
    if not hasattr(onnxruntime, "InferenceSession"):
        raise missing(
            "onnxruntime", "the package is there, but empty: a broken or shadowed install"
        )
    return onnxruntime


def _describe(entry):
    if not entry.type.startswith("tensor("):
        raise BackendError("unsupported", "input {!r} is a {}".format(entry.name, entry.type))
    word = entry.type[len("tensor(") : -1]
    shape = [size if isinstance(size, int) else -1 for size in entry.shape]
    return {"name": entry.name, "dtype": _TYPES.get(word, word), "shape": shape}


def _precision(operators):
    """Return (precision, detail) of the matrix products among the operators as they were assigned.

    The last fusions come after that, and the operators carry no types; what they hide stays None.
    """
    counts = Counter(operators)
    products: "Counter[str]" = Counter()
    for operator, count in counts.items():
        if operator.endswith(_NARROW):
            products["narrow"] += count
        elif "Integer" in operator or operator.startswith(_INTEGER):
            products["i8"] += count
        elif operator.endswith(_PRODUCTS):
            products["float"] += count
    total = sum(products.values())
    seen = "{} of {} matrix products are integer operators".format(products["i8"], total)
    if products["narrow"]:
        return None, (
            "{} of {} matrix products have weights under 8 bits; whether they compute in f32 or i8"
            " is not visible".format(products["narrow"], total)
        )
    if counts["QuantizeLinear"]:
        return None, (
            "{} QuantizeLinear around {} matrix products; which became integer kernels is not"
            " visible, that fusion comes after the assignment".format(
                counts["QuantizeLinear"], total
            )
        )
    if products["i8"] * 2 >= total > 0:
        return "i8", seen
    if _computes_f16():
        return None, seen + "; f32 or f16 is not visible and this CPU can do both"
    return "f32", seen + "; this CPU has no f16 kernels here, f16 weights are widened"


def _computes_f16():
    """Tell whether the CPU provider may have f16 kernels: it needs Arm's half-precision vectors."""
    try:
        with io.open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            return "asimdhp" in stream.read()
    except OSError:
        return True
