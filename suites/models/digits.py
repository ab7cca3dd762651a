"""`digits-cnn`: a small convolutional classifier, trained here on scikit-learn's digits.

1797 real handwritten digits of 8 x 8 pixels (UCI "Optical recognition of handwritten digits", test
part) come inside scikit-learn. A third is held out: never trained on, never used to calibrate, only
to score.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.types import Model, Quality, TensorSpec, digest
from suites.models import Evaluation, ModelOptions
from suites.models.torch_reference import export_onnx, run_reference
from suites.quality.scoring import score_top1
from suites.variants import Material, TorchProgram

# raised with every change of data split, network or training
RECIPE = 1
SEED = 20
HELD_OUT = 597
CALIBRATION = 512
EPOCHS = 12

MODEL = Model(
    name="digits-cnn",
    origin="trained",
    digest=digest(["digits-cnn", RECIPE, SEED]),
    inputs=(TensorSpec(name="x", dtype="float32", shape=(1, 1, 8, 8), low=0.0, high=1.0),),
    description="3 convolutions and 2 linear layers, 160 thousand parameters,"
    f" scored on {HELD_OUT} held-out digits",
    quality_metric="top1",
)


def source(given: ModelOptions) -> DigitsSource:
    """Return the source; its input shape is fixed by the data."""
    if given.shapes:
        raise UsageError(
            "--shape does not apply to 'digits-cnn'", "its one input is always x=1x1x8x8"
        )
    return DigitsSource(given)


@dataclass(frozen=True)
class DigitsSource:
    """The trained classifier. Files of its workdir: weights.pt, model.onnx, calibration.npy."""

    given: ModelOptions
    model: Model = MODEL
    word: str = "digits-cnn"
    packages: tuple[str, ...] = ("torch", "scikit-learn", "onnx", "onnxscript")

    def prepare(self, workdir: Path) -> None:
        """Train (about five seconds on one core), keep the weights, export ONNX where it can be."""
        import numpy as np
        import torch

        images, labels = _split()["train"]
        network = train(images, labels)
        torch.save(network.state_dict(), workdir / "weights.pt")
        np.save(workdir / "calibration.npy", images[:CALIBRATION], allow_pickle=False)
        try:
            export_onnx(_program(workdir), workdir / "model.onnx")
        except ImportError:
            # without the exporter the torch toolchains still have everything they need
            (workdir / "model.onnx").unlink(missing_ok=True)

    def material(self, workdir: Path) -> Material:
        """Return the torch program, the ONNX export and 512 training images to calibrate with."""
        import numpy as np

        images = np.load(workdir / "calibration.npy", allow_pickle=False)
        onnx = workdir / "model.onnx"
        return Material(
            model=self.model,
            torch_program=partial(_program, workdir),
            onnx=onnx if onnx.exists() else None,
            tflite=None,
            xml=None,
            pt2=None,
            calibration=[{"x": images[i : i + 1]} for i in range(len(images))],
        )

    def evaluation(self, workdir: Path) -> Evaluation:
        """Return the held-out images [597, 1, 8, 8], their labels and the FP32 logits [597, 10]."""
        images, labels = _split()["held out"]
        return Evaluation({"x": images}, run_reference(_program(workdir), {"x": images}), labels)

    def score(self, outputs: dict[str, Any], evaluation: Evaluation) -> Quality:
        """Score held-out accuracy (`top1`)."""
        return score_top1(outputs, evaluation.reference, evaluation.labels)


def train(images: Any, labels: Any, epochs: int = EPOCHS) -> Any:
    """Return the network trained on `images` with Adam; the same bits each time on one machine.

    One thread and a seed of its own: the order of a parallel sum would change the last bits.
    """
    import torch

    from suites.models.digits_network import DigitsNetwork

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(SEED)
            model = DigitsNetwork()
            _fit(model, torch.from_numpy(images), torch.from_numpy(labels), epochs)
    finally:
        torch.set_num_threads(threads)
    return model.eval()


def _fit(model: Any, images: Any, labels: Any, epochs: int) -> None:
    import torch

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(32):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
        schedule.step()


def _split() -> dict[str, tuple[Any, Any]]:
    """Return {"train", "held out"}: (images float32 [n, 1, 8, 8] in [0, 1], labels int64 [n])."""
    import numpy as np
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (data.images / 16.0).astype(np.float32)[:, None]
    labels = data.target.astype(np.int64)
    order = np.random.default_rng(SEED).permutation(len(images))
    held_out, rest = order[:HELD_OUT], order[HELD_OUT:]
    return {"train": (images[rest], labels[rest]), "held out": (images[held_out], labels[held_out])}


def _program(workdir: Path) -> TorchProgram:
    """Return the trained network, ready to export with an open batch."""
    import torch

    from suites.models.digits_network import DigitsNetwork

    model = DigitsNetwork()
    model.load_state_dict(torch.load(workdir / "weights.pt", weights_only=True))
    batch = torch.export.Dim("batch", min=1, max=1024)
    return TorchProgram(
        module=model.eval(),
        example={"x": torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(SEED))},
        dynamic_shapes={"x": {0: batch}},
        output_names=("logits",),
    )
