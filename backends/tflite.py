"""TensorFlow Lite: LiteRT (ai_edge_litert) or the older tflite_runtime, by options["flavour"].

XNNPACK is on by default in both and takes what it can; evidence() counts what it took. Inputs are
resized to options["shapes"] before allocation; a graph with frozen inner shapes refuses that as
"unsupported". Names are those of the file's signature where it has just one, numbered ones in the
order of their numbers (args_2 before args_10), else names and order are the file's.
"""

import importlib
import re
from collections import Counter

from backends import BackendError, one_line
from backends.border import in_order, leading, missing, translate, translated

_FLAVOURS = {"ai_edge_litert": "tflite", "tflite_runtime": "tflite-runtime"}
_KINDS = {ValueError: None, RuntimeError: None, OSError: None, TypeError: None}
_VENDOR = (MemoryError,) + tuple(_KINDS)
_PRODUCTS = (
    "FULLY_CONNECTED",
    "BATCH_MATMUL",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "CONV_3D",
    "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
)
_SHORT = {"float32": "f32", "float16": "f16", "int8": "i8", "uint8": "i8", "int16": "i16"}


def probe(options):
    """Import the flavour that the options name (LiteRT by default) and tell its version."""
    return {"version": _version(_runtime(_flavour(options)))}


def open(path, options):  # the contract's verb
    """Load `path`, resize its inputs to the bound shapes, allocate."""
    module = _runtime(_flavour(options))
    with translated(_KINDS, "load"):
        native = module.Interpreter(model_path=path, num_threads=options.get("threads") or 1)
        session = Session(native, _version(module), options.get("threads") or 1)
    session.allocate(options.get("shapes"))
    return session


class Session:
    """An interpreter over one file; it can run once allocate() has been called."""

    def __init__(self, native, version, threads):
        """Fix the order of inputs and outputs."""
        self._native, self._version, self._threads = native, version, threads
        signatures = native._get_full_signature_list()
        names = next(iter(signatures.values())) if len(signatures) == 1 else {}
        self._sources = _ordered(native.get_input_details(), names.get("inputs", {}))
        self._results = _ordered(native.get_output_details(), names.get("outputs", {}))
        self.inputs = [_describe(name, details) for name, details in self._sources]
        self._indices = [details["index"] for _, details in self._results]
        self._set, self._invoke, self._get = native.set_tensor, native.invoke, native.get_tensor

    def allocate(self, shapes):
        """Give the inputs their bound shapes and allocate every tensor."""
        changes = self._changes(shapes)
        if not changes:
            with translated(_KINDS, "load"):
                self._native.allocate_tensors()
            return
        asked = ", ".join("{} {}".format(name, shape) for name, _, _, shape in changes)
        try:
            with translated(_KINDS, "load"):
                for _, index, _, shape in changes:
                    self._native.resize_tensor_input(index, shape)
                self._native.allocate_tensors()
        except BackendError as error:
            message = (
                "the graph cannot be resized to {}: it was converted for fixed shapes ({})".format(
                    asked, one_line(error, 80)
                )
            )
            raise BackendError("unsupported", message) from error
        self._require_batch(changes, asked)

    def _changes(self, shapes):
        """Return (name, tensor index, old shape, new shape) of the inputs to resize."""
        wanted = in_order(shapes, self.inputs) if shapes else []
        return [
            (name, details["index"], _sizes(details["shape"]), list(shape))
            for (name, details), shape in zip(self._sources, wanted)
            if _sizes(details["shape"]) != list(shape)
        ]

    def _require_batch(self, changes, asked):
        """Refuse a graph that took another batch but answers with the old one."""
        batches = {(old[0], new[0]) for _, _, old, new in changes if old and new}
        now = self._native.get_output_details()
        shapes = {details["index"]: _sizes(details["shape"]) for details in now}
        for name, details in self._results:
            before, after = _sizes(details["shape"]), shapes[details["index"]]
            for old, new in batches:
                if old != new and before[:1] == [old] and after[:1] != [new]:
                    message = "resized to {}, the graph still answers {} {}".format(
                        asked, name, after
                    )
                    raise BackendError("unsupported", message)

    def bind(self, arrays):
        """Return [(tensor index, array of the model's dtype)]."""
        import numpy

        values = in_order(arrays, self.inputs)
        return [
            (details["index"], numpy.ascontiguousarray(value, dtype=details["dtype"]))
            for (_, details), value in zip(self._sources, values)
        ]

    def infer(self, feed):
        """Copy the inputs in, run, copy the outputs out."""
        try:
            for index, array in feed:
                self._set(index, array)
            self._invoke()
            return [self._get(index) for index in self._indices]
        except _VENDOR as error:
            raise translate(_KINDS, error, "infer") from error

    def outputs(self, raw):
        """Name the arrays."""
        return {name: array for (name, _), array in zip(self._results, raw)}

    def evidence(self):
        """Report what the delegate took and the types that the matrix products work on."""
        operators = self._native._get_ops_details()
        own = [op for op in operators if op["op_name"] != "DELEGATE"]
        taken = _delegated(operators)
        kinds = {entry["index"]: _kind(entry) for entry in self._native.get_tensor_details()}
        products = Counter(_precision(op, kinds) for op in own if op["op_name"] in _PRODUCTS)
        shares = ", ".join("{} {}".format(n, kind) for kind, n in sorted(products.items()))
        return {
            "version": self._version,
            "threads": self._threads,
            "provider": "XNNPACK" if taken else "built-in kernels",
            "nodes_total": len(own),
            "nodes_on_provider": len(taken) if taken else len(own),
            "precision": leading(products),
            "detail": "matrix products: {}; threads are those set, the runtime does not report"
            " them".format(shares or "none"),
        }

    def close(self):
        """Release the interpreter."""
        self._set = self._invoke = self._get = self._native = None


def _flavour(options):
    return options.get("flavour", "ai_edge_litert")


def _runtime(flavour):
    try:
        return importlib.import_module(flavour + ".interpreter")
    except (ImportError, OSError) as error:
        raise missing(_FLAVOURS[flavour], error) from error


def _version(module):
    return importlib.import_module(module.__name__.split(".")[0]).__version__


def _ordered(details, signature):
    """Return [(name, details)] by the signature {name: tensor index}, else as the file has them."""
    names = {index: name for name, index in signature.items()}
    if sorted(names) != sorted(entry["index"] for entry in details):
        return [(re.sub(r"^serving_default_|:0$", "", d["name"]), d) for d in details]
    named = [(names[entry["index"]], entry) for entry in details]
    if not all(re.search(r"_\d+$", name) for name, _ in named):
        return named
    return sorted(named, key=lambda pair: int(pair[0].rsplit("_", 1)[1]))


def _describe(name, details):
    dtype = getattr(details["dtype"], "__name__", str(details["dtype"]))
    return {"name": name, "dtype": dtype, "shape": _sizes(details["shape_signature"])}


def _sizes(shape):
    return [int(size) for size in shape]


def _delegated(operators):
    """Return the indices of the operators that delegates replaced: all that lie between their ends.

    The interpreter keeps the replaced operators in its list, so they are found by walking back from
    each delegate's outputs to its inputs.
    """
    maker = {
        int(tensor): op
        for op in operators
        if op["op_name"] != "DELEGATE"
        for tensor in op["outputs"]
    }
    taken: "set[int]" = set()
    for delegate in (op for op in operators if op["op_name"] == "DELEGATE"):
        borders = {int(tensor) for tensor in delegate["inputs"]}
        todo = [int(tensor) for tensor in delegate["outputs"]]
        while todo:
            op = maker.get(todo.pop())
            if op is not None and op["index"] not in taken:
                taken.add(op["index"])
                todo += [int(tensor) for tensor in op["inputs"] if int(tensor) not in borders]
    return taken


def _precision(op, kinds):
    """Return the arithmetic of a matrix product: integer weights make an integer kernel."""
    names = [kinds.get(int(tensor), "unknown") for tensor in op["inputs"][:2]]
    return "i8" if "i8" in names else names[0]


def _kind(details):
    name = getattr(details["dtype"], "__name__", str(details["dtype"]))
    return _SHORT.get(name, name)
