"""Look into an `.onnx` file: inputs, vocabulary bounds, external data. Build worker only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from harness.errors import UsageError
from suites.models.binding import Inspection, TensorInfo

# operators that pass an index on, possibly in another shape or type
_PASS = ("Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten")


def inspect_onnx(path: Path) -> Inspection:
    """Return what the file declares; UsageError where it is damaged, unsafe or invalid."""
    model = _read(path)
    externals = _externals(model, path)
    _check(path)
    graph = model.graph
    constants = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    tables = _vocabulary(graph, constants)
    inputs = [value for value in graph.input if value.name not in constants]
    return Inspection(
        inputs=tuple(_describe(value, path, tables.get(value.name)) for value in inputs),
        outputs=tuple(_describe(value, path, None, strict=False) for value in graph.output),
        externals=externals,
    )


def _read(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError, RuntimeError, RecursionError, OSError) as error:
        raise UsageError(
            f"{path.name!r} is not a readable ONNX file: {_line(error)}", "is it truncated?"
        ) from error
    if not model.HasField("graph") or not model.graph.node:
        raise UsageError(f"{path.name!r} is not an ONNX model: it has no graph", "is it truncated?")
    return model


def _check(path: Path) -> None:
    import onnx

    try:
        onnx.checker.check_model(str(path))
    except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        raise UsageError(f"{path.name!r} is not a valid ONNX model: {_line(error)}") from error


def _externals(model: Any, path: Path) -> tuple[str, ...]:
    """Return the files of external data, relative to the model; unsafe ones are refused."""
    names = sorted({name for tensor in _tensors(model) if (name := _location(tensor, path))})
    for name in names:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name:
            raise UsageError(
                f"{path.name!r} refers to external data outside its directory: {name!r}"
            )
        steps = [path.parent.joinpath(*pure.parts[: i + 1]) for i in range(len(pure.parts))]
        if any(step.is_symlink() for step in steps):
            raise UsageError(
                f"the external data {name!r} of {path.name!r} is a symbolic link",
                "copy the file there",
            )
        if not steps[-1].is_file():
            raise UsageError(
                f"the external data {name!r} of {path.name!r} is missing",
                f"in {str(path.parent)!r}",
            )
    return tuple(names)


def _location(tensor: Any, path: Path) -> str | None:
    import onnx

    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return None
    for entry in tensor.external_data:
        if entry.key == "location" and entry.value:
            return str(entry.value)
    raise UsageError(f"the external data of {tensor.name!r} in {path.name!r} has no location")


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor of the file, also those inside nodes, subgraphs and functions."""
    waiting = [model.graph, *model.functions]
    while waiting:
        scope = waiting.pop()
        yield from getattr(scope, "initializer", ())
        for sparse in getattr(scope, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in scope.node:
            for attribute in node.attribute:
                yield from [attribute.t, *attribute.tensors]
                for sparse in [attribute.sparse_tensor, *attribute.sparse_tensors]:
                    yield from (sparse.values, sparse.indices)
                waiting.extend(graph for graph in [attribute.g, *attribute.graphs] if graph.node)


def _describe(value: Any, path: Path, vocabulary: int | None, strict: bool = True) -> TensorInfo:
    import onnx

    kind = value.type.WhichOneof("value")
    tensor = value.type.tensor_type
    if strict and kind != "tensor_type":
        raise UsageError(
            f"input {value.name!r} of {path.name!r} is a {kind}, not a tensor",
            "that is not supported",
        )
    if strict and not tensor.HasField("shape"):
        raise UsageError(
            f"input {value.name!r} of {path.name!r} has no declared shape",
            "export it with its rank",
        )
    element = tensor.elem_type
    dtype = onnx.TensorProto.DataType.Name(element).lower()
    if element not in (onnx.TensorProto.STRING, onnx.TensorProto.UNDEFINED):
        dtype = onnx.helper.tensor_dtype_to_np_dtype(element).name
    return TensorInfo(
        name=value.name,
        dtype=dtype,
        dims=tuple(dim.dim_value if dim.dim_value > 0 else None for dim in tensor.shape.dim),
        symbols=tuple(dim.dim_param or None for dim in tensor.shape.dim),
        vocabulary=vocabulary,
    )


def _vocabulary(graph: Any, constants: dict[str, tuple[int, ...]]) -> dict[str, int]:
    """Return {input: rows of the smallest table it indexes}: Gather along axis 0 of a constant.

    Nodes of a valid graph stand in topological order, so one pass follows an index through casts
    and reshapes, and a table through its dequantization.
    """
    origin = {value.name: value.name for value in graph.input}
    tables = {name: dims[0] for name, dims in constants.items() if len(dims) > 1}
    found: dict[str, int] = {}
    for node in graph.node:
        first = node.input[0] if node.input else ""
        if node.op_type in _PASS and first in origin:
            origin[node.output[0]] = origin[first]
        if node.op_type in ("DequantizeLinear", "Cast", "Identity") and first in tables:
            tables[node.output[0]] = tables[first]
        for table, index in _lookups(node):
            if table in tables and index in origin:
                rows = tables[table]
                found[origin[index]] = min(rows, found.get(origin[index], rows))
    return found


def _lookups(node: Any) -> list[tuple[str, str]]:
    """Return the (table, index) names that `node` looks up."""
    axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
    if node.op_type in ("Gather", "GatherBlockQuantized") and axis == 0 and len(node.input) > 1:
        return [(node.input[0], node.input[1])]
    if node.op_type == "EmbedLayerNormalization" and len(node.input) > 4:
        return [(node.input[2], node.input[0]), (node.input[4], node.input[1])]
    return []


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
