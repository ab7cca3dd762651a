"""Adapters over runtimes, board side: Python 3.6 syntax, the standard library, the runtime itself.

A backend module offers

    probe(options) -> dict          import the runtime; {"version": str, ...} or raise BackendError
    open(path, options) -> session  load the artifact; everything slow happens here

and a session

    session.inputs                  [{"name", "dtype", "shape"}] as the runtime sees them: -1 is an
                                    open dimension, None what the file does not tell
    session.bind(arrays) -> feed    native request from {name: array}; outside the timed loop
    session.infer(feed) -> raw      run once, synchronously, until outputs are readable; timed
    session.outputs(raw) -> dict    {name: numpy array} in the model's order; outside the timed loop
    session.evidence() -> dict      what really ran, see EVIDENCE
    session.close()

`options` is a dict: threads (int), precision ("f32", "f16", "bf16" or None = the runtime's choice),
shapes ({name: [int, ...]}, every dimension bound), the row's `fixed`, more per backend. A backend
knows nothing of time, of cases or of quality. Vendor exceptions never leave it: they become a
BackendError.
"""

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself would cost the measured child memory
    from typing import Any, Dict

# The user's word -> where it lives, the artifact formats it takes (preferred first), how to get it.
# `fixed` are options that belong to the word itself. One row is all a new backend needs.
TABLE: "Dict[str, Dict[str, Any]]" = {
    "onnxruntime": {
        "module": "backends.onnx_runtime",
        "formats": ["onnx"],
        "install": "pip install onnxruntime",
        "fixed": {},
    },
    "openvino": {
        "module": "backends.open_vino",
        "formats": ["xml", "onnx"],
        "install": "pip install openvino",
        "fixed": {},
    },
    "tflite": {
        "module": "backends.tflite",
        "formats": ["tflite"],
        "install": "pip install ai-edge-litert",
        "fixed": {"flavour": "ai_edge_litert"},
    },
    "tflite-runtime": {
        "module": "backends.tflite",
        "formats": ["tflite"],
        "install": "make install-tflite-runtime (it needs numpy 1: an interpreter of its own)",
        "fixed": {"flavour": "tflite_runtime"},
    },
    "torch": {
        "module": "backends.pytorch",
        "formats": ["torch", "pt2"],
        "install": "pip install torch==2.13.0 (choose the CPU build)",
        "fixed": {"mode": "eager"},
    },
    "torch-export": {
        "module": "backends.pytorch",
        "formats": ["pt2"],
        "install": "pip install torch==2.13.0 (choose the CPU build)",
        "fixed": {"mode": "export"},
    },
    "torch-script": {
        "module": "backends.pytorch",
        "formats": ["torchscript"],
        "install": "pip install torch==2.13.0 (choose the CPU build)",
        "fixed": {"mode": "script"},
    },
    "null": {"module": "backends.null", "formats": ["null"], "install": "", "fixed": {}},
}

# Keys of session.evidence(): each present, None where the runtime does not tell.
EVIDENCE = (
    "version",
    "threads",
    "provider",
    "nodes_total",
    "nodes_on_provider",
    "precision",
    "detail",
)


class BackendError(Exception):
    """What a runtime could not do, in one sentence.

    kind: "missing" (not installed), "load" (the artifact is refused), "infer" (a call failed),
    "memory" (allocation failed), "unsupported" (an option this runtime does not have).
    """

    def __init__(self, kind, message):
        """Keep the kind beside the sentence."""
        super().__init__(message)
        self.kind = kind
        self.message = message


def load(name):
    """Return the module behind the user's word `name`; the runtime itself is not imported yet."""
    return importlib.import_module(TABLE[name]["module"])


def one_line(error, limit=300):
    """Return the first meaningful line of a vendor exception, shortened to `limit` characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"
