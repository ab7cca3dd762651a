"""Fetch a sentence encoder from the model hub. Build worker only: network, heavy client."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UsageError

WANTED = ("config.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json")


def fetch(identifier: str) -> Path:
    """Return the directory of the snapshot of `org/name`, downloaded where it is not there yet.

    Only configuration, tokenizer and safetensors weights are fetched: nothing that could run code.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise UsageError(
            f"hf:{identifier} needs the package huggingface_hub", "pip install huggingface_hub"
        ) from error
    try:
        return Path(snapshot_download(identifier, allow_patterns=list(WANTED)))
    except (
        Exception
    ) as error:  # the client's errors have no common base besides its own and its transport's
        raise UsageError(
            f"cannot fetch hf:{identifier} from the hub: {_line(error)}",
            "check the id and the network, or give a local directory with --model DIR",
        ) from error


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
