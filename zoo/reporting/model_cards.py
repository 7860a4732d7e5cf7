"""What there is to know of each network: source, deviations, flow of layers, counts."""

from __future__ import annotations

import inspect
import os
import re
from collections import Counter

import tensorflow as tf

from zoo import registry
from zoo.importing import weights_by_name
from zoo.keras_compat import Model
from zoo.metrics import complexity, flops
from zoo.models.autoencoder import CsiAutoencoder
from zoo.models.layer_graph import LayerGraph
from zoo.models.spec import RATIOS, ModelSpec
from zoo.reporting.blocks import Details, Flow, Stage, Table
from zoo.reporting.cells import Cell, fixed, millions, number, place

SHOWN = (RATIOS["1/4"], RATIOS["1/16"])
SIDES = {"ue": "UE", "bs": "BS"}
COUNTS = ("params", "macs", "bytes_fp32", "bytes_int8")
SHORT = {
    "BatchNormalization": "BN",
    "GlobalAveragePooling2D": "global average pool",
    "LayerNormalization": "layer norm",
    "Concatenate": "concat",
    "Activation": "activation",
}


def build(spec: ModelSpec, codeword_dim: int) -> CsiAutoencoder:
    """A network with the paper's options at its own CSI size."""
    return registry.build(spec.name, spec.csi_shape, codeword_dim)


def shown_dims(spec: ModelSpec) -> list[int]:
    """Codeword lengths of the card: 1/4 and 1/16, or the longest there is."""
    dims = [dim for dim in SHOWN if dim in spec.codeword_dims]
    return dims or [max(spec.codeword_dims)]


def describe(spec: ModelSpec) -> tuple[str, str]:
    """First line and deviations of a network's docstring."""
    text = inspect.getdoc(spec.build)
    paragraphs = re.split(r"\n\s*\n", text)
    found = [p for p in paragraphs if p.startswith("Deviations")]
    deviations = " ".join(" ".join(found).split()).partition(":")[2].strip()
    return text.splitlines()[0], deviations


def stages(model: Model) -> list[Stage]:
    """Steps of a functional model: cut wherever a single tensor connects the layers.

    Layers without multiplications go with the step before them; steps with the same
    multiplications in a row become one.
    """
    steps: list[list] = []
    for group in _groups(model):
        if steps and not sum(map(complexity.layer_macs, group)):
            steps[-1] += group
        else:
            steps.append(group)
    result: list[tuple[Stage, int]] = []
    for stage in map(_stage, steps):
        alike = result and (result[-1][0].name, result[-1][0].macs)
        times = result.pop()[1] if alike == (stage.name, stage.macs) else 0
        result.append((stage, times + 1))
    return [
        s._replace(name=f"{n} × {s.name}" if n > 1 else s.name, macs=n * s.macs)
        for s, n in result
    ]


def _groups(model: Model) -> list[list]:
    """Layers between tensors that alone lead on; side inputs do not count."""
    graph, groups, group = LayerGraph(model), [], []
    users = {id(model.inputs[0]): len(graph.users(model.inputs[0]))}
    for layer in graph.layers:
        group.append(layer)
        for tensor in tf.nest.flatten(layer.input):
            if id(tensor) in users:
                users[id(tensor)] -= 1
        for tensor in tf.nest.flatten(layer.output):
            users[id(tensor)] = len(graph.users(tensor))
        if sum(count > 0 for count in users.values()) < 2:
            groups.append(group)
            group = []
    return groups + ([group] if group else [])


def _stage(group: list) -> Stage:
    counts = {x.name: complexity.layer_macs(x) for x in group}
    working = [x for x in group if counts[x.name]]
    behind = [x for x in group if not counts[x.name]]
    if not working:
        working, behind = behind, []
    names = Counter(map(_kind, working))
    text = ", ".join(f"{n} {kind}" if n > 1 else kind for kind, n in names.items())
    prefix = os.path.commonprefix([x.name for x in working]).rstrip("_0123456789")
    name = f"{prefix}: {text}" if len(working) > 1 and prefix else text
    others = dict.fromkeys(SHORT.get(k, k) for k in (type(x).__name__ for x in behind))
    first, *_ = tf.nest.flatten(group[-1].output)
    shape = " × ".join(map(str, first.shape[1:]))
    return Stage(name, ", ".join(others), shape, sum(counts.values()))


def _kind(layer) -> str:
    """Class of a layer with the size that matters."""
    name = type(layer).__name__
    if hasattr(layer, "kernel_size"):
        size = "×".join(map(str, layer.kernel_size))
        return f"{name.removesuffix('2D')} {size}"
    return f"{name} {layer.units}" if hasattr(layer, "units") else SHORT.get(name, name)


def flow(model: CsiAutoencoder) -> list[Flow]:
    """Flow of the encoder and of what is at the BS."""
    behind = [s for p in list(model.parts.values())[1:] for s in stages(p)]
    return [Flow("UE", stages(model.encoder)), Flow("BS", behind)]


def ratio_of(spec: ModelSpec, codeword_dim: int) -> list[str]:
    """Ratio, where the zoo names one of that length, and length of a codeword."""
    names = {dim: name for name, dim in RATIOS.items()}
    usual = spec.csi_shape[-3:] == (32, 32, 2)  # others are named by M alone
    return [place(names.get(codeword_dim) if usual else None), number(codeword_dim)]


def counts_table(spec: ModelSpec, counts: dict[int, dict]) -> Table:
    """Parameters, MACs and bytes per side; `counts`: of `flops.summary` by length."""
    rows = [
        [
            *ratio_of(spec, dim),
            label,
            *(number(found[f"{side}_{key}"]) for key in COUNTS),
        ]
        for dim, found in counts.items()
        for side, label in SIDES.items()
    ]
    columns = ["ratio", "M", "side", "ours, parameters", "ours, MACs"]
    columns += ["ours, bytes fp32", "ours, bytes int8"]
    caption = f"{spec.name}: counted from the built network."
    return Table(columns, rows, caption, f"counts_{spec.name}")


def published_table(spec: ModelSpec) -> Table | None:
    """Published NMSE of a network and of its variants; None: nothing is published."""
    figures = {"default": spec.published}
    figures |= {name: variant.published for name, variant in spec.variants.items()}
    ratios = [
        r for r in RATIOS if any(r in published for published in figures.values())
    ]
    rows = []
    for label, published in figures.items():
        scenarios = dict.fromkeys(name for row in published.values() for name in row)
        for scenario in scenarios:
            found = [published.get(ratio, {}).get(scenario) for ratio in ratios]
            cells = ["" if value is None else fixed(value) for value in found]
            rows.append([label, scenario.replace("_", " "), *cells])
    columns = ["variant", "scenario", *(f"paper, {ratio}" for ratio in ratios)]
    caption = f"{spec.name}: NMSE [dB] by compression ratio, as its paper prints it."
    return Table(columns, rows, caption, f"published_{spec.name}") if rows else None


def weights_text(spec: ModelSpec) -> str:
    """The weights of a network that come with the zoo, '' where there are none."""
    found = map(weights_by_name.line, weights_by_name.cards(spec.name))
    return "; ".join(found)


def card(spec: ModelSpec) -> tuple[Details, list[str]]:
    """A network's card, and its row of the overview."""
    dims = shown_dims(spec)
    models = {dim: build(spec, dim) for dim in dims}
    counts = {dim: flops.summary(model) for dim, model in models.items()}
    title, deviations = describe(spec)
    options = ", ".join(f"{k} = {v!r}" for k, v in spec.options.items())
    blocks = [
        f"{spec.paper}.",
        f"Licence of the public code: {spec.licence}."
        + (f" Options: {options}." if options else ""),
        *flow(models[dims[-1]]),
        counts_table(spec, counts),
        published_table(spec) or "No NMSE of this network is published.",
        f"Weights (`--weights=NAME`): {weights_text(spec) or 'none so far'}.",
        f"Deviations: {deviations}",
    ]
    found = counts[dims[-1]]
    row = [spec.name, *ratio_of(spec, dims[-1])]
    row += [millions(found[f"{side}_macs"]) for side in SIDES]
    kib = found["ue_bytes_fp32"] / 1024
    row += [Cell(f"{kib:,.0f}", value=kib), spec.paper.partition(":")[0]]
    return Details(f"{spec.name}: {title}", blocks, f"net-{spec.name}"), row


def cards(specs: list[ModelSpec]) -> list:
    """Overview of some networks and their cards."""
    found = [card(spec) for spec in specs]
    columns = ["network", "ratio", "M", "ours, UE MACs", "ours, BS MACs"]
    columns += ["ours, encoder [KiB fp32]", "authors"]
    rows = [row for _, row in found]
    overview = Table(columns, rows, "All networks at a glance.", "networks")
    return [overview, *(details for details, _ in found)]
