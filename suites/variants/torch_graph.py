"""Turns an exported graph into an eager artifact: straight-line Python text and its tensors.

The artifact (FORMAT_TAG) is a dict of plain values and tensors that torch.load(weights_only=True)
reads on a machine with nothing but torch: no pickled class, no project code, no transformers. How
to run it stands in torch_tools.py. Quantized weights are packed on the board (torch_eager.py),
because packed layouts belong to one CPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.types import Json
from suites.variants import Unsupported
from suites.variants.torch_program import Exported, manifest

FORMAT_TAG = "boardmark-eager-1"


class Rewrite:
    """A copy of an exported graph on its way to an artifact.

    `values` are the tensors behind placeholders that are state; `recipes` say how the board makes
    each state placeholder out of `tensors` (see RECIPES in torch_eager.py).
    """

    def __init__(self, exported: Exported) -> None:
        """Copy the graph without its assertions; refuse what straight-line text cannot hold."""
        import torch

        self.ops = torch.ops
        self.exported = exported
        self.graph = torch.fx.Graph()
        self.tensors: dict[str, Any] = {}
        self.recipes: dict[Any, tuple[Any, ...]] = {}
        self.values: dict[Any, Any] = {}
        self.replaced = 0
        self.graph.output(self.graph.graph_copy(exported.program.graph, {}))
        self._check()
        self._find_state()
        for node in list(self.graph.nodes):
            if "_assert" in str(node.target) or "sym_constrain" in str(node.target):
                self.graph.erase_node(node)
        self.graph.eliminate_dead_code()

    def _check(self) -> None:
        signature = self.exported.program.graph_signature
        if {spec.kind.name for spec in signature.output_specs} != {"USER_OUTPUT"}:
            raise Unsupported("the model changes its own state or its inputs while it runs")
        if any(node.op in ("get_attr", "call_module") for node in self.graph.nodes):
            raise Unsupported(
                "the model has branches or loops, which straight-line text cannot hold"
            )

    def _find_state(self) -> None:
        program = self.exported.program
        placeholders = [node for node in self.graph.nodes if node.op == "placeholder"]
        for node, spec in zip(placeholders, program.graph_signature.input_specs, strict=True):
            if spec.kind.name != "USER_INPUT":
                held = (
                    program.state_dict if spec.target in program.state_dict else program.constants
                )
                self.values[node] = held[spec.target].detach()
                self.recipes[node] = ("plain", spec.target)

    def calls(self, *names: str) -> list[Any]:
        """Return the calls of the named aten overloads, such as `linear.default`."""
        wanted = {f"aten.{name}" for name in names}
        return [n for n in self.graph.nodes if n.op == "call_function" and str(n.target) in wanted]

    def hold(self, name: str, recipe: tuple[Any, ...]) -> Any:
        """Add a state placeholder made by `recipe`; returns its node."""
        with self.graph.inserting_before(next(iter(self.graph.nodes))):
            node = self.graph.placeholder(f"q_{name}".replace(".", "_"))
        self.recipes[node] = recipe
        return node

    def hold_tensor(self, name: str, tensor: Any) -> Any:
        """Add a state placeholder that is a tensor; returns its node."""
        node = self.hold(name, ("plain", name))
        self.values[node] = tensor
        return node

    def bias_of(self, node: Any) -> Any | None:
        """Return the bias node of a linear or convolution call, or None."""
        return node.args[2] if len(node.args) > 2 else node.kwargs.get("bias")

    def replace(self, node: Any, result: Any) -> None:
        """Put `result` in the place of `node` and count it as replaced."""
        node.replace_all_uses_with(result)
        self.graph.erase_node(node)
        self.replaced += 1

    def blob(self, detail: Json, described: Exported | None = None) -> Json:
        """Return the artifact's content; `described` has the inputs of a retyped graph."""
        for node in [node for node in self.recipes if not node.users]:
            self.graph.erase_node(node)
            del self.recipes[node]
        state = [node for node in self.graph.nodes if node in self.recipes]
        for node in state:
            if self.recipes[node][0] == "plain":
                self.tensors[self.recipes[node][1]] = self.values[node]
        self.graph.lint()
        text = self.graph.python_code("self").src.replace("def forward(self, ", "def forward(", 1)
        prelude = Path(__file__).with_name("torch_eager.py").read_text(encoding="utf-8")
        rows = "".join(f"    {self.recipes[node]!r},\n" for node in state)
        nodes = len([node for node in self.graph.nodes if node.op.startswith("call_")])
        return {
            "format": FORMAT_TAG,
            "source": f"{prelude}\n\nSTATE = [\n{rows}]\n\n{text.lstrip()}",
            # copies, so that a tensor that is a view does not drag its whole storage into the file
            "tensors": {name: tensor.clone().contiguous() for name, tensor in self.tensors.items()},
            **manifest(
                described or self.exported,
                {**detail, "nodes": nodes, "quantized_nodes": self.replaced},
            ),
        }
