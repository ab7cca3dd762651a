"""The network of `digits-cnn`; imported only where torch may be: in the build worker."""

from __future__ import annotations

import torch
from torch import nn


class DigitsNetwork(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Three convolutions and two linear layers, 159 626 parameters."""

    def __init__(self) -> None:
        """Draw untrained weights from torch's generator."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits [n, 10] of images `x` [n, 1, 8, 8] in [0, 1]."""
        return self.layers(x)
