"""Two tiny models that every toolchain test starts from: a CNN and an attention block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.types import Model, TensorSpec
from suites.variants import Material, TorchProgram

TOKENS = 12


def cnn_program() -> TorchProgram:
    """Build a CNN over [batch, 1, 8, 8] with two linear layers; always the same weights."""
    import torch

    torch.manual_seed(7)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 16, 3, padding=1, stride=2),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(256, 32),
        torch.nn.ReLU(),
        torch.nn.Linear(32, 10),
    )
    batch = torch.export.Dim("batch", min=1, max=64)
    return TorchProgram(
        module.eval(), {"input": torch.rand(2, 1, 8, 8)}, {"input": {0: batch}}, ("y",)
    )


def attention_program() -> TorchProgram:
    """Build one attention block over tokens [batch, TOKENS]: embedding, products, mean."""
    import torch

    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(50, 32)
            self.query, self.key = torch.nn.Linear(32, 32), torch.nn.Linear(32, 32)
            self.up, self.down = torch.nn.Linear(32, 64), torch.nn.Linear(64, 32)

        def forward(self, ids: Any, mask: Any) -> Any:
            hidden = self.table(ids)
            scores = self.query(hidden) @ self.key(hidden).transpose(1, 2)
            hidden = hidden + torch.softmax(scores, -1) @ hidden
            hidden = self.down(torch.nn.functional.gelu(self.up(hidden)))
            kept = mask.unsqueeze(-1).to(hidden.dtype)
            return (hidden * kept).sum(1) / kept.sum(1)

    torch.manual_seed(8)
    batch = torch.export.Dim("batch", min=1, max=64)
    ids = torch.arange(2 * TOKENS).reshape(2, TOKENS)
    example = {"ids": ids, "mask": torch.ones_like(ids)}
    return TorchProgram(Block().eval(), example, {name: {0: batch} for name in example}, ("y",))


PROGRAMS = {"cnn": cnn_program, "attention": attention_program}
SPECS = {
    "cnn": (TensorSpec(name="input", dtype="float32", shape=(1, 1, 8, 8), low=0.0, high=1.0),),
    "attention": (
        TensorSpec(name="ids", dtype="int64", shape=(1, TOKENS), low=0, high=50),
        TensorSpec(name="mask", dtype="int64", shape=(1, TOKENS), low=1, high=2),
    ),
}


def inputs(kind: str, batch: int, seed: int = 0) -> dict[str, Any]:
    """Draw inputs {name: array [batch, ...]} within the bounds of the model's specs."""
    random = np.random.default_rng(seed)
    drawn = {}
    for spec in SPECS[kind]:
        low, high = spec.low or 0, spec.high or 1
        values = random.random((batch, *spec.shape[1:])) * (high - low) + low
        drawn[spec.name] = values.astype(spec.dtype)
    return drawn


def material(kind: str, **changes: Any) -> Material:
    """Return the torch material of a tiny model, with 8 calibration samples."""
    model = Model(name=kind, origin="random", digest=f"tiny-{kind}", inputs=SPECS[kind])
    fields = {
        "model": model,
        "torch_program": PROGRAMS[kind],
        "onnx": None,
        "tflite": None,
        "xml": None,
        "pt2": None,
        "calibration": [inputs(kind, 1, seed) for seed in range(8)],
        **changes,
    }
    return Material(**fields)


def reference(kind: str, given: dict[str, Any]) -> Any:
    """Return the FP32 output for `given`."""
    import torch

    with torch.no_grad():
        return PROGRAMS[kind]().module(*(torch.from_numpy(a) for a in given.values())).numpy()


def export_onnx(kind: str, path: Path) -> Path:
    """Write the tiny model as ONNX with an open batch."""
    import torch

    from suites.variants.quiet import quietly

    program = PROGRAMS[kind]()
    with quietly():
        exported = torch.onnx.export(
            program.module,
            tuple(program.example.values()),
            dynamo=True,
            dynamic_shapes={"input": {0: "batch"}}
            if kind == "cnn"
            else {name: {0: "batch"} for name in program.example},
            input_names=list(program.example),
            output_names=list(program.output_names),
            external_data=False,
            verbose=False,
        )
    exported.save(str(path))
    return path


def cosine(left: Any, right: Any) -> float:
    """Return the mean cosine between the rows of two arrays."""
    a, b = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return float(((a * b).sum(-1) / lengths).mean())
