"""What the agent is told about a case's files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import handmade
import msgspec

from harness.session import requests
from harness.types import Artifact, Json


class Elsewhere:
    """A board that keeps its files in a folder of its own."""

    def put(self, files: Sequence[Path]) -> list[str]:
        return [f"/board/{file.name}" for file in files]

    def identify(self) -> Json:
        raise AssertionError

    def probe(self, backend: str) -> Json:
        raise AssertionError

    def run(self, request: Json) -> Iterator[Json]:
        raise AssertionError

    def close(self) -> None:
        raise AssertionError


def request(artifact: Artifact) -> Json:
    case = msgspec.structs.replace(handmade.FP32, artifact=artifact)
    sampling = {"run": {}, "energy_s": 0, "timeout_s": 60.0}
    return requests.of(case, handmade.plan(sampling=sampling), Elsewhere())


def artifact(path: Path, *beside: Path, sha256: str = "built") -> Artifact:
    files = tuple(map(str, beside))
    return Artifact(path=str(path), format="ir", sha256=sha256, size_bytes=1, files=files)


def test_one_file_goes_with_the_digest_of_its_build(tmp_path: Path) -> None:
    told = request(artifact(tmp_path / "model.onnx"))
    assert (told["sha256"], told["sha256s"]) == ("built", {})


def test_several_files_go_each_with_its_digest_as_it_was_first_seen(tmp_path: Path) -> None:
    graph, weights = tmp_path / "model.xml", tmp_path / "model.bin"
    graph.write_bytes(b"graph")
    weights.write_bytes(b"weights")
    digests = {
        "/board/model.xml": hashlib.sha256(b"graph").hexdigest(),
        "/board/model.bin": hashlib.sha256(b"weights").hexdigest(),
    }
    told = request(artifact(graph, weights))
    assert (told["sha256"], told["sha256s"]) == (None, digests)
    weights.write_bytes(b"other weights")
    assert request(artifact(graph, weights))["sha256s"] == digests
    rebuilt = request(artifact(graph, weights, sha256="rebuilt"))["sha256s"]
    assert rebuilt["/board/model.bin"] == hashlib.sha256(b"other weights").hexdigest()


def test_a_file_that_is_gone_matches_nothing(tmp_path: Path) -> None:
    graph = tmp_path / "model.xml"
    graph.write_bytes(b"graph")
    told = request(artifact(graph, tmp_path / "model.bin"))
    assert told["sha256s"]["/board/model.bin"] == ""
