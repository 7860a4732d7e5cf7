"""Pages of the documentation about the networks, made from their specifications.

`write` makes one page for each network of the registry. Nothing in them is typed by
hand: texts come from the docstrings, figures of papers from the specification, counts
from the built network.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from zoo import files, registry
from zoo.metrics import flops
from zoo.models.spec import ModelSpec
from zoo.reporting import model_cards
from zoo.reporting.blocks import Flow, Section, Table, markdown

FLAGFILES = Path(files.__file__).parent / "flagfiles"
PUBLISHED_DATA = re.compile(r"(?m)^--dataset=cost2100/")
FETCHED = (
    "\n\n`FOLDER` holds the published `.mat` files ([data sets](../channels/index.md))"
    "; without them give `--dataset=cost2100_sim/indoor` instead."
)
MADE = "<!-- made by python -m zoo.report --network_pages=docs/networks -->"


def options_list(spec: ModelSpec) -> str:
    """The paper's options with their defaults and what the docstring says of them."""
    text = inspect.getdoc(spec.build)
    said = dict(re.findall(r"(?m)^    (\w+): (.+(?:\n {8}.+)*)", text))
    lines = [
        f"* `{name}`, default `{value!r}`: {' '.join(said.get(name, '').split())}"
        for name, value in spec.options.items()
    ]
    return "\n".join(lines) or "None."


def flow_table(flows: list[Flow]) -> Table:
    """Steps of both sides with shapes and operations."""
    rows = [
        [flow.side, stage.name, stage.behind, stage.shape, f"{stage.macs:,}"]
        for flow in flows
        for stage in flow.stages
    ]
    columns = ["side", "step", "followed by", "shape behind it", "ours, MACs"]
    return Table(columns, rows)


def commands(spec: ModelSpec) -> str:
    """How to train it, by the flagfiles that there are."""
    lines, note = [f"python -m zoo summary {spec.name}"], ""
    for name in (f"{spec.name}.cfg", f"fast/{spec.name}.cfg"):
        if (FLAGFILES / name).is_file():
            line = f"python -m zoo.train --flagfile=zoo/flagfiles/{name}"
            if PUBLISHED_DATA.search((FLAGFILES / name).read_text(encoding="utf-8")):
                line, note = f"{line} --manual_dir=FOLDER", FETCHED
            lines.append(line)
    return "```bash\n" + "\n".join(lines) + "\n```" + note


def sections(spec: ModelSpec) -> list[Section]:
    """What a network's page has below its first lines."""
    models = {x: model_cards.build(spec, x) for x in model_cards.shown_dims(spec)}
    dim, model = list(models.items())[-1]
    counts = {x: flops.summary(network) for x, network in models.items()}
    _, deviations = model_cards.describe(spec)
    published = model_cards.published_table(spec)
    lengths = ", ".join(map(str, spec.codeword_dims))
    parts = {
        "Options": [options_list(spec), f"Codeword lengths M: {lengths}."],
        "Commands": [commands(spec)],
        f"Layers, M = {dim}": [flow_table(model_cards.flow(model))],
        "Cost": [model_cards.counts_table(spec, counts)],
        "Published figures": [published or "No NMSE of this network is published."],
        "Deviations": [deviations[:1].upper() + deviations[1:] or "None known."],
    }
    weights = model_cards.weights_text(spec)
    if weights:
        parts["Weights"] = [
            f"`--weights=NAME` ([how](../training/weights.md)): {weights}."
        ]
    return [Section(title, "", blocks) for title, blocks in parts.items()]


def page(spec: ModelSpec) -> str:
    """A network's page, Markdown."""
    title, _ = model_cards.describe(spec)
    module = spec.build.__module__
    link = f"../reference/zoo.models.md#{module}.{spec.build.__name__}"
    head = [
        f"# {spec.name}",
        MADE,
        title,
        f"{spec.paper}. Licence of the public code: {spec.licence}.",
        f"In the code: [`{module}`]({link}), with a drawing of the signal flow.",
    ]
    text = "\n\n".join([*head, markdown(sections(spec))])
    return text.replace('<a id=""></a>', "")


def write(directory: Path) -> list[Path]:
    """Write NAME.md of every network.

    Args:
        directory: of the pages; its other files stay as they are.

    Returns:
        What was written.
    """
    paths = []
    for name, spec in registry.MODELS.items():
        path = directory / f"{name}.md"
        files.write_text(path, page(spec))
        paths.append(path)
    return paths
