"""PyTorch on the CPU in three modes: eager, an exported program, TorchScript.

eager   a dict of plain tensors and of the program's own text, made by this project's toolchain. The
        text is executed: the agent checks the file's digest against the request before that.
export  torch.export.load(path).module(); so does eager with a .pt2 file
script  torch.jit.load(path)

Gradients are off for the whole process. The precision is the file's.
"""

import json
import pickle
import warnings
import zipfile
from collections import Counter, namedtuple

from backends import BackendError
from backends.border import in_order, leading, missing, require_shapes, translate, translated

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself would cost the measured child memory
    from typing import Any, Dict

_EAGER_FORMAT = "boardmark-eager-1"
_FACTS = "boardmark.json"
# What a loader returns. `operators()` and `tensors()` are asked after timing, `facts` is the
# toolchain's own note.
_Program = namedtuple("_Program", "mode call inputs outputs facts operators tensors")
_NAMES = {"eager": "torch", "export": "torch-export", "script": "torch-script"}
# Classes of its C++ side that are no RuntimeError, or mean something of their own.
_KINDS = {"OutOfMemoryError": "memory", "FatalError": None, "JITException": None}
_FLOATS = {"float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16"}
_SHORT = dict(_FLOATS, int8="i8", uint8="i8", qint8="i8", quint8="i8")


def probe(options):
    """Import torch; its version and its engine for quantized operators."""
    torch = _runtime(options.get("mode", "eager"))
    return {"version": torch.__version__, "quantized_engine": torch.backends.quantized.engine}


def open(path, options):  # the contract's verb
    """Load `path` in the mode of the options, with gradients off."""
    mode = options.get("mode", "eager")
    torch = _runtime(mode)
    if options.get("threads"):
        torch.set_num_threads(options["threads"])
    torch.set_grad_enabled(False)
    if mode == "eager" and path.endswith(".pt2"):
        mode = "export"
    loader = {"eager": _eager, "export": _exported, "script": _script}[mode]
    kinds = vendor_kinds(torch)
    with translated(kinds, "load"):
        program = loader(torch, path)
    require_shapes(program.inputs, options.get("shapes"))
    return Session(torch, program, kinds)


def vendor_kinds(torch):
    """Return {exception class: kind}: torch raises Python's own beside a few of its C++ side's."""
    own = (RuntimeError, ValueError, TypeError, OSError, EOFError, LookupError, AssertionError)
    text = (AttributeError, NameError, SyntaxError, ImportError)  # of a program that does not fit
    files = (pickle.UnpicklingError, zipfile.BadZipFile)
    kinds: "dict[type, str | None]" = dict.fromkeys(own + text + files)
    kinds[NotImplementedError] = "unsupported"
    for name, kind in _KINDS.items():
        if hasattr(torch._C, name):
            kinds[getattr(torch._C, name)] = kind
    return kinds


class Session:
    """A loaded program."""

    def __init__(self, torch, program, kinds):
        """Keep the callable at hand, so that infer() is one call."""
        self._torch, self._program = torch, program
        self._kinds, self._vendor = kinds, (MemoryError,) + tuple(kinds)
        self._call = program.call
        self.inputs = program.inputs

    def bind(self, arrays):
        """Return a tuple of tensors on the arrays' own memory, in call order."""
        import numpy

        values = in_order(arrays, self.inputs)
        return tuple(
            self._torch.from_numpy(numpy.require(value, entry["dtype"], ["C", "W"]))
            for entry, value in zip(self.inputs, values)
        )

    def infer(self, feed):
        """Call the program; whatever structure it returns."""
        try:
            return self._call(*feed)
        except self._vendor as error:
            raise translate(self._kinds, error, "infer") from error

    def outputs(self, raw):
        """Flatten the answer to named arrays; bfloat16, which numpy lacks, is widened."""
        torch = self._torch
        leaves = torch.utils._pytree.tree_flatten(raw)[0]
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        names = list(self._program.outputs)
        if len(names) != len(tensors):
            names = ["output_{}".format(i) for i in range(len(tensors))]
        tensors = [leaf.float() if leaf.dtype == torch.bfloat16 else leaf for leaf in tensors]
        return {name: leaf.detach().numpy() for name, leaf in zip(names, tensors)}

    def evidence(self):
        """Report torch's threads, the program's operators, and the precision they work in."""
        torch, program = self._torch, self._program
        operators = list(program.operators())
        weights: "Counter[str]" = Counter()
        for tensor in program.tensors():
            name = str(tensor.dtype).replace("torch.", "")
            weights[_SHORT.get(name, name)] += tensor.numel() * tensor.element_size()
        shares = ", ".join("{} {}".format(size, kind) for kind, size in sorted(weights.items()))
        detail = "{}; weights in bytes: {}; quantized operators: {}, engine {}".format(
            program.mode,
            shares or "none",
            program.facts.get("quantized_nodes", sum("quantized" in name for name in operators)),
            torch.backends.quantized.engine,
        )
        return {
            "version": torch.__version__,
            "threads": torch.get_num_threads(),
            "provider": "CPU",
            "nodes_total": len(operators) or program.facts.get("nodes"),
            "nodes_on_provider": len(operators) or program.facts.get("nodes"),
            "precision": _precision(program.facts, weights),
            "detail": detail,
        }

    def close(self):
        """Drop the program."""
        self._call = self._program = None


def _runtime(mode):
    try:
        import torch
    except (ImportError, OSError) as error:
        raise missing(_NAMES[mode], error) from error
    return torch


def _eager(torch, path):
    with warnings.catch_warnings():
        # It says so before it refuses a TorchScript file; the refusal is enough.
        warnings.filterwarnings("ignore", r"'torch\.load' received a zip file", UserWarning)
        blob = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if not isinstance(blob, dict) or blob.get("format") != _EAGER_FORMAT:
        raise BackendError("load", "not an eager torch artifact: expected " + _EAGER_FORMAT)
    namespace: "Dict[str, Any]" = {"__name__": "eager_program"}
    exec(compile(blob["source"], path, "exec"), namespace)  # noqa: S102  see the module's text
    call = namespace["load"](blob["tensors"])
    leaves = torch.utils._pytree.tree_flatten(blob["tensors"])[0]
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    return _Program(
        "eager",
        call,
        blob["inputs"],
        blob["outputs"],
        blob.get("detail") or {},
        lambda: (),
        lambda: tensors,
    )


def _exported(torch, path):
    extra = {_FACTS: ""}
    exported = torch.export.load(path, extra_files=extra)
    note = _note(extra)
    signature = exported.graph_signature
    values = {n.name: n.meta.get("val") for n in exported.graph.nodes if n.op == "placeholder"}
    inputs = [_describe(torch, name, values.get(name)) for name in signature.user_inputs]
    calls = [str(n.target) for n in exported.graph.nodes if n.op == "call_function"]
    return _Program(
        "export",
        _positional(torch, exported),
        note.get("inputs") or inputs,
        note.get("outputs") or [str(name) for name in signature.user_outputs],
        note.get("detail") or {},
        lambda: calls,
        exported.state_dict.values,
    )


def _positional(torch, exported):
    """Return the program as a function of its input tensors, whatever it was exported with."""
    module = exported.module()
    spec = exported.call_spec.in_spec
    arguments, keywords = torch.utils._pytree.tree_unflatten(range(spec.num_leaves), spec)
    if not keywords and all(isinstance(leaf, int) for leaf in arguments):
        return module

    def call(*tensors):
        arguments, keywords = torch.utils._pytree.tree_unflatten(tensors, spec)
        return module(*arguments, **keywords)

    return call


def _script(torch, path):
    extra = {_FACTS: ""}
    with warnings.catch_warnings():
        # TorchScript is a case of its own here; its users know that it is on its way out.
        warnings.filterwarnings("ignore", r"`torch\.jit\.load` is deprecated", DeprecationWarning)
        module = torch.jit.load(path, map_location="cpu", _extra_files=extra)
    note = _note(extra)
    names = [value.debugName().split(".")[0] for value in module.graph.inputs()][1:]
    inputs = [{"name": name, "dtype": None, "shape": None} for name in names]
    return _Program(
        "script",
        module,
        note.get("inputs") or inputs,
        note.get("outputs") or [],
        note.get("detail") or {},
        lambda: [n.kind() for n in module.inlined_graph.nodes() if "prim::" not in n.kind()],
        module.parameters,
    )


def _note(extra):
    text = extra.get(_FACTS) or "{}"
    return json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)


def _describe(torch, name, value):
    if not isinstance(value, torch.Tensor):
        raise BackendError("unsupported", "input {!r} of the program is not a tensor".format(name))
    shape = [size if isinstance(size, int) else -1 for size in value.shape]
    return {"name": name, "dtype": str(value.dtype).replace("torch.", ""), "shape": shape}


def _precision(facts, weights):
    """Return the toolchain's note, else the weights' type, unless that is an integer's."""
    noted = facts.get("precision")
    main = leading(weights)
    return _SHORT.get(noted, noted) or (main if main in _FLOATS.values() else None)
