"""Puts int8 and int4 layers into a graph on its way to an artifact.

The arithmetic is torch's own (`quantized::linear_dynamic`,
`quantized::linear_with_input_q_dq_qweight_dq_output_fp32`, `quantized::conv2d`,
`aten::_weight_int4pack_mm_for_cpu`); this file finds the layers and puts their weights in place.
Weights are symmetric int8 per output channel, or asymmetric 4 bit in groups of GROUP along the
input; embedding tables are int8 per row. Ranges are the least and greatest value in calibration.
"""

from __future__ import annotations

from typing import Any

from suites.variants.torch_graph import Rewrite

GROUP = 32
KERNEL_ROWS = 16  # torch's int4 kernel takes output sizes in multiples of this
STATIC = ("linear.default", "conv2d.default")
Range = tuple[float, float]


def int8_channels(weight: Any) -> tuple[Any, Any]:
    """Return (int8 weight, float64 scales) of `weight`, symmetric per first dimension."""
    import torch

    rows = weight.detach().float().flatten(1)
    scales = (rows.abs().amax(1) / 127).clamp(min=1e-12)
    values = (rows / scales[:, None]).round().clamp(-127, 127)
    return values.to(torch.int8).reshape(weight.shape), scales.double()


def int4_groups(weight: Any) -> tuple[Any, Any]:
    """Return (uint8 [n, k/2] of two weights each, bfloat16 [k/GROUP, n, 2]) of `weight` [n, k].

    A weight is (level - 8) * scale + middle with level in 0..15: the kernel's own formula.
    """
    import torch

    n, k = weight.shape
    groups = weight.detach().float().reshape(n, k // GROUP, GROUP)
    low, high = groups.amin(-1), groups.amax(-1)
    scales = ((high - low) / 15).clamp(min=1e-8)
    levels = ((groups - low[..., None]) / scales[..., None]).round().clamp(0, 15)
    nibbles = levels.to(torch.uint8).reshape(n, k)
    packed = nibbles[:, ::2] | (nibbles[:, 1::2] << 4)
    middles = torch.stack([scales, low + 8 * scales], -1).transpose(0, 1)
    return packed, middles.contiguous().bfloat16()  # the kernel reads strides wrongly, silently


def int8_embeddings(rewrite: Rewrite) -> int:
    """Replace embedding tables by int8 rows with a scale each; returns how many."""
    import torch

    aten, graph, count = rewrite.ops.aten, rewrite.graph, 0
    for node in rewrite.calls("embedding.default"):
        weight = rewrite.values.get(node.args[0])
        if weight is None:
            continue
        rows, scales = int8_channels(weight)
        table = rewrite.hold_tensor(f"{node.name}.int8", rows)
        scale = rewrite.hold_tensor(f"{node.name}.scales", scales.float()[:, None])
        with graph.inserting_before(node):
            picked = graph.call_function(aten.embedding.default, (table, node.args[1]))
            wide = graph.call_function(aten.to.dtype, (picked, torch.float32))
            each = graph.call_function(aten.embedding.default, (scale, node.args[1]))
            result = graph.call_function(aten.mul.Tensor, (wide, each))
        rewrite.replace(node, result)
        count += 1
    return count


def int8_dynamic(rewrite: Rewrite) -> int:
    """Replace linear layers by int8 ones that quantize their input as it comes; counts them."""
    graph, count = rewrite.graph, 0
    reduced = rewrite.hold("reduced", ("reduced",))
    for node in rewrite.calls("linear.default"):
        if not hold_int8(rewrite, node):
            continue
        packed = rewrite.hold(node.name, ("linear_int8", node.name))
        call = rewrite.ops.quantized.linear_dynamic.default
        with graph.inserting_before(node):
            result = graph.call_function(call, (node.args[0], packed, reduced))
        rewrite.replace(node, result)
        count += 1
    return count


def hold_int8(rewrite: Rewrite, node: Any) -> bool:
    """Put a layer's int8 weights, scales and bias among the tensors; False if computed."""
    weight = rewrite.values.get(node.args[1])
    bias = rewrite.bias_of(node)
    if weight is None or (bias is not None and bias not in rewrite.values):
        return False
    values, scales = int8_channels(weight)
    rewrite.tensors[f"{node.name}.int8"] = values
    rewrite.tensors[f"{node.name}.scales"] = scales
    if bias is not None:
        rewrite.tensors[f"{node.name}.bias"] = rewrite.values[bias].float()
    return True


def ranges(rewrite: Rewrite, samples: list[tuple[Any, ...]]) -> dict[str, Range]:
    """Return {node name: (least, greatest)} over `samples` of what static layers take and make."""
    import torch

    wanted: set[str] = set()
    for node in rewrite.calls(*STATIC):
        wanted |= {node.args[0].name, node.name, last_of(node).name}
    seen: dict[str, Range] = {}

    class Observer(torch.fx.Interpreter):  # type: ignore[misc]  # torch is untyped here
        def run_node(self, n: Any) -> Any:
            value = super().run_node(n)
            if n.name in wanted:
                low, high = (float(edge) for edge in value.aminmax())
                before = seen.get(n.name, (low, high))
                seen[n.name] = (min(low, before[0]), max(high, before[1]))
            return value

    observer = Observer(torch.fx.GraphModule({}, rewrite.graph))
    state = [rewrite.values[node] for node in rewrite.graph.nodes if node in rewrite.values]
    with torch.no_grad():
        for sample in samples:
            observer.run(*state, *sample)
    return seen


def last_of(node: Any) -> Any:
    """Return the relu that alone follows `node`, to be computed with it, or the node itself."""
    users = list(node.users)
    relus = ("aten.relu.default", "aten.relu_.default")
    return users[0] if len(users) == 1 and str(users[0].target) in relus else node


def int8_static(rewrite: Rewrite, spans: dict[str, Range]) -> int:
    """Replace linear and 2-D convolution layers by calibrated int8 ones; counts them."""
    count = 0
    # names first: a replaced layer is no longer what the next one takes its input from
    sources = {node: node.args[0].name for node in rewrite.calls(*STATIC)}
    for node, source in sources.items():
        if not hold_int8(rewrite, node):
            continue
        last, inputs = node, spans[source]
        if str(node.target) == "aten.linear.default":
            recipe: tuple[Any, ...] = ("static_linear", node.name, inputs, spans[node.name])
        else:
            last = last_of(node)
            edges = (inputs, spans[last.name])
            recipe = ("static_conv2d", node.name, edges, geometry(node), last is not node)
        layer = rewrite.hold(node.name, recipe)
        with rewrite.graph.inserting_before(node):
            result = rewrite.graph.call_method("run", (layer, node.args[0]))
        rewrite.replace(last, result)
        if last is not node:
            rewrite.graph.erase_node(node)
        count += 1
    return count


def geometry(node: Any) -> tuple[list[int], list[int], list[int], int]:
    """Return stride, padding, dilation and groups of an aten.conv2d call, defaults filled in."""
    defaults = ([1, 1], [0, 0], [1, 1], 1)
    given = (*node.args[3:], *defaults[len(node.args[3:]) :])
    stride, padding, dilation = (list(pair) * (2 // len(pair)) for pair in given[:3])
    return stride, padding, dilation, given[3]


def int4_weights(rewrite: Rewrite) -> tuple[int, int]:
    """Replace linear layers by weight-only int4 ones; returns how many, and how many do not fit."""
    count = left = 0
    for node in rewrite.calls("linear.default"):
        weight = rewrite.values.get(node.args[1])
        if weight is None or weight.shape[1] % GROUP or weight.shape[0] % KERNEL_ROWS:
            left += 1
            continue
        packed, groups = int4_groups(weight)
        rewrite.tensors[f"{node.name}.int4"] = packed
        layout = rewrite.hold(node.name, ("linear_int4", node.name))
        scales = rewrite.hold_tensor(f"{node.name}.groups", groups)
        rewrite.replace(node, _int4_call(rewrite, node, layout, scales))
        count += 1
    return count, left


def _int4_call(rewrite: Rewrite, node: Any, layout: Any, scales: Any) -> Any:
    import torch

    aten, call, source = rewrite.ops.aten, rewrite.graph.call_function, node.args[0]
    shape = node.meta["val"].shape
    leading = range(len(shape) - 1)
    with rewrite.graph.inserting_before(node):
        flat = call(aten.reshape.default, (source, [-1, int(source.meta["val"].shape[-1])]))
        half = call(aten.to.dtype, (flat, torch.bfloat16))
        product = call(aten._weight_int4pack_mm_for_cpu.default, (half, layout, GROUP, scales))
        result = call(aten.to.dtype, (product, torch.float32))
        if rewrite.bias_of(node) is not None:
            result = call(aten.add.Tensor, (result, rewrite.bias_of(node)))
        sizes = [call(aten.sym_size.int, (source, i)) for i in leading]
        return call(aten.reshape.default, (result, [*sizes, int(shape[-1])]))
