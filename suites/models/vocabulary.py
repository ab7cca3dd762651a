"""Find the table that an integer input indexes, so that no id drawn for it leaves the vocabulary.

Each function returns {input name: rows of the smallest table}, for the inputs where one was found;
where the file's own names are unknown, the key is "#" and the input's position. Build worker only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

# operators that pass an index on, possibly in another shape or type
_TFLITE_PASS = ("CAST", "RESHAPE", "EXPAND_DIMS", "SQUEEZE")
_OPENVINO_PASS = ("Convert", "Reshape", "Unsqueeze", "Squeeze")
_OPENVINO_GATHER = ("Gather",)


def tflite_vocabulary(path: Path) -> dict[str, int]:
    """Follow each input to a GATHER or EMBEDDING_LOOKUP over a constant table."""
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError:
        return {}
    # without delegates the list of operators is the file's own
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=plain)
    tensors = {entry["index"]: entry for entry in interpreter.get_tensor_details()}
    operators = interpreter._get_ops_details()
    made = {int(index) for op in operators for index in op["outputs"]}
    inputs = {int(entry["index"]): entry["name"] for entry in interpreter.get_input_details()}
    origin = dict(inputs)
    found: dict[str, int] = {}
    for op in operators:
        sources = [int(index) for index in op["inputs"]]
        if op["op_name"] in _TFLITE_PASS and sources and sources[0] in origin:
            origin.update(dict.fromkeys(map(int, op["outputs"]), origin[sources[0]]))
        table, index = _tflite_lookup(op["op_name"], sources)
        if index in origin and table is not None and table not in made and table not in inputs:
            _smaller(found, origin[index], int(tensors[table]["shape"][0]))
    names = list(inputs.values())
    return {**found, **{f"#{names.index(name)}": rows for name, rows in found.items()}}


def _tflite_lookup(operator: str, sources: list[int]) -> tuple[int | None, int | None]:
    if operator == "GATHER" and len(sources) >= 2:
        return sources[0], sources[1]
    if operator == "EMBEDDING_LOOKUP" and len(sources) >= 2:
        return sources[1], sources[0]
    return None, None


def openvino_vocabulary(path: Path) -> dict[str, int]:
    """Follow each input to a Gather along axis 0 of a constant table."""
    import openvino

    model = openvino.Core().read_model(str(path))
    found: dict[str, int] = {}
    for position, port in enumerate(model.inputs):
        name = port.get_any_name() if port.get_names() else f"#{position}"
        waiting, seen = [port], 0
        while waiting and seen < 1000:
            seen += 1
            for target in waiting.pop().get_target_inputs():
                node, slot = target.get_node(), target.get_index()
                if node.get_type_name() in _OPENVINO_PASS and slot == 0:
                    waiting.extend(node.outputs())
                elif node.get_type_name() in _OPENVINO_GATHER and slot == 1:
                    table = node.input_value(0).get_partial_shape()
                    if table.rank.is_static and table.rank.get_length() > 1 and table[0].is_static:
                        _smaller(found, name, table[0].get_length())
    return found


def exported_vocabulary(path: Path) -> dict[str, int]:
    """Follow each input to an embedding, or an index_select along axis 0, over a parameter."""
    import torch

    program = torch.export.load(str(path))
    names = set(program.graph_signature.user_inputs)
    found: dict[str, int] = {}
    for node in program.graph.nodes:
        if node.op != "placeholder" or node.name not in names:
            continue
        waiting: list[Any] = [node]
        seen: set[Any] = set()
        while waiting:
            current = waiting.pop()
            seen.add(current)
            for user in current.users:
                target = str(user.target)
                if target.startswith("aten.embedding.") and user.args[1] is current:
                    _smaller(found, node.name, int(user.args[0].meta["val"].shape[0]))
                elif (
                    target.startswith(_EXPORTED_PASS)
                    and user.args[0] is current
                    and user not in seen
                ):
                    waiting.append(user)
    return found


_EXPORTED_PASS = (
    "aten.to.",
    "aten._to_copy.",
    "aten.view.",
    "aten.reshape.",
    "aten.unsqueeze.",
    "aten._assert",
)


def _smaller(found: dict[str, int], name: str, rows: int) -> None:
    found[name] = min(rows, found.get(name, rows))
