from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models

from backends import BackendError, pytorch

pytestmark = pytest.mark.toolchain


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """A backend owns its process and turns gradients off; the tests share one."""
    import torch

    threads = torch.get_num_threads()
    yield
    torch.set_grad_enabled(True)
    torch.set_num_threads(threads)


def opened(path: Path, mode: str, **options: Any) -> Any:
    return pytorch.open(str(path), {"mode": mode, "threads": 2, **options})


def test_every_vendor_exception_is_mapped() -> None:
    import torch

    kinds = pytorch.vendor_kinds(torch)
    raised = {
        found
        for found in vars(torch._C).values()
        if isinstance(found, type) and issubclass(found, BaseException)
    }
    assert len(raised) >= 5
    assert [found for found in raised if not set(found.__mro__) & set(kinds)] == []
    assert kinds[torch.OutOfMemoryError] == "memory"


@pytest.mark.parametrize(
    ("mode", "maker"),
    [
        ("eager", tiny_models.eager_file),
        ("export", tiny_models.pt2_file),
        ("script", tiny_models.script_file),
    ],
)
def test_threads_mode_and_weights_are_reported(mode: str, maker: Any, tmp_path: Path) -> None:
    evidence = opened(maker(tmp_path), mode).evidence()
    assert evidence["threads"] == 2
    assert evidence["precision"] == "f32"
    assert evidence["nodes_total"] == 2
    assert evidence["detail"].startswith(f"{mode}; weights in bytes: {(16 * 4 + 4) * 4} f32")


def test_gradients_are_off(tmp_path: Path) -> None:
    session = opened(tiny_models.pt2_file(tmp_path), "export")
    raw = session.infer(session.bind({"x": np.ones((1, 16), "float32")}))
    assert not raw.requires_grad


def test_an_eager_row_takes_an_exported_file(tmp_path: Path) -> None:
    evidence = opened(tiny_models.pt2_file(tmp_path), "eager").evidence()
    assert evidence["detail"].startswith("export; ")


def test_a_program_exported_with_keywords_is_called_by_position(tmp_path: Path) -> None:
    import torch

    class Difference(torch.nn.Module):
        def forward(self, left: Any, right: Any) -> Any:
            return {"difference": left - right, "same": left == right}

    two, one = torch.full((2,), 2.0), torch.ones(2)
    path = tmp_path / "keywords.pt2"
    torch.export.save(torch.export.export(Difference(), (two,), {"right": one}), path)
    session = opened(path, "export")
    assert [entry["name"] for entry in session.inputs] == ["left", "right"]
    raw = session.infer(session.bind({"left": two.numpy(), "right": one.numpy()}))
    answer = session.outputs(raw)
    assert [value.tolist() for value in answer.values()] == [[1.0, 1.0], [False, False]]
    assert session.evidence()["precision"] is None  # no weights tell it


def test_a_users_script_tells_names_only(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "own.ts"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.", DeprecationWarning)
        torch.jit.save(torch.jit.trace(tiny_models.torch_module(), torch.zeros(1, 16)), path)
    session = opened(path, "script", shapes={"x": [3, 16]})
    assert [(entry["dtype"], entry["shape"]) for entry in session.inputs] == [(None, None)]
    x = np.ones((3, 16), "float32")
    answer = session.outputs(session.infer(session.bind({"x": x})))
    np.testing.assert_allclose(answer["output_0"], tiny_models.expected(x), rtol=1e-5)


def test_bfloat16_answers_are_widened(tmp_path: Path) -> None:
    import torch

    class Half(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.to(torch.bfloat16)

    path = tmp_path / "half.pt2"
    torch.export.save(torch.export.export(Half(), (torch.ones(2),)), path)
    session = opened(path, "export")
    raw = session.infer(session.bind({"x": np.ones(2, "float32")}))
    assert next(iter(session.outputs(raw).values())).dtype == np.float32


def test_integer_weights_leave_the_arithmetic_open() -> None:
    assert pytorch._precision({}, {"i8": 9, "f32": 1}) is None
    assert pytorch._precision({}, {"f16": 9, "f32": 1}) == "f16"
    assert pytorch._precision({"precision": "int8"}, {"f32": 9}) == "i8"


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("content", ["bomb", "foreign"])
def test_eager_opens_only_our_own_plain_format(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pt"
    torch.save(Bomb() if content == "bomb" else {"weights": torch.ones(1)}, path)
    with pytest.raises(BackendError) as caught:
        opened(path, "eager")
    assert caught.value.kind == "load"
    assert not (tmp_path / "exploded").exists()


def test_a_bare_pickle_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pt"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(BackendError):
        opened(path, "eager")
    assert not (tmp_path / "exploded").exists()


def test_eager_refuses_a_script_file_without_running_it(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="TorchScript") as caught:
        opened(tiny_models.script_file(tmp_path), "eager")
    assert caught.value.kind == "load"
