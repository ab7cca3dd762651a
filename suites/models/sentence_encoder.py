"""A BERT-like encoder with its pooling, as one torch module: token ids to a unit vector.

Imported only where torch may be: in the build worker.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from suites.variants import TorchProgram


class SentenceEncoder(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Encoder, then mean or first-token pooling, then L2 normalisation."""

    def __init__(self, encoder: Any, pooling: str) -> None:
        """Keep the encoder; `pooling` is "mean" or "cls"."""
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return unit vectors [batch, hidden] of two int64 [batch, sequence]."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if self.pooling == "cls":
            pooled = hidden[:, 0]
        else:
            kept = attention_mask.unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * kept).sum(1) / kept.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(pooled, dim=-1)


def encoder_program(directory: Path, pooling: str, longest: int) -> TorchProgram:
    """Load the encoder of `directory` in FP32; open batch, open sequence up to `longest` tokens."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    encoder = transformers.AutoModel.from_pretrained(
        directory, attn_implementation="sdpa", dtype=torch.float32, local_files_only=True
    )
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = (
            None  # its output is not part of the embedding, its weights would count as size
        )
    batch = torch.export.Dim("batch", min=1, max=1024)
    sequence = torch.export.Dim("sequence", min=2, max=longest)
    ids = torch.arange(2 * 16).reshape(2, 16)
    return TorchProgram(
        module=SentenceEncoder(encoder, pooling).eval(),
        example={"input_ids": ids, "attention_mask": torch.ones_like(ids)},
        dynamic_shapes={
            "input_ids": {0: batch, 1: sequence},
            "attention_mask": {0: batch, 1: sequence},
        },
        output_names=("sentence_embedding",),
    )
