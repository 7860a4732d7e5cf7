"""What the zoo has: networks, one of them, its parameters and operations."""

from __future__ import annotations

import fnmatch

from zoo import registry
from zoo.baselines.catalogue import BASELINES, CODEBOOKS
from zoo.config_checks import parse_object
from zoo.importing import weights_by_name
from zoo.metrics import flops
from zoo.models.receivers import RECEIVERS

SIDES = {"ue": "UE", "bs": "BS", "total": "total"}


def list_models(pattern: str = "*") -> list[dict]:
    """Source and choices of all whose name matches a pattern.

    Returns:
        Networks, networks of the receiver (`--receiver`) and baselines (`python -m
        zoo.baseline`), by `kind`.
    """
    rows = [_network(name) for name in [*registry.MODELS, *registry.own()]]
    rows += [
        {"kind": "receiver", "name": name, "paper": receiver.paper}
        for name, receiver in RECEIVERS.items()
    ]
    rows += [
        {"kind": "baseline", "name": name, "paper": f"{paper}. {note}"}
        for name, (paper, note) in (BASELINES | CODEBOOKS).items()
    ]
    return [row for row in rows if fnmatch.fnmatch(row["name"], pattern)]


def _network(name: str) -> dict:
    """Row of a network, or of a package's that cannot be used, which says why."""
    try:
        spec = registry.get(name)
    except ValueError as error:
        return {"kind": "broken network", "name": name, "paper": str(error)}
    return {
        "kind": "network",
        "name": spec.name,
        "paper": spec.paper,
        "licence": spec.licence,
        "options": spec.options,
        "codeword_dims": spec.codeword_dims,
        "weights": [card["name"] for card in weights_by_name.cards(spec.name)],
    }


def info(name: str) -> dict:
    """Everything the registry knows of a network, its docstring included."""
    spec = registry.get(name)
    return {
        "name": spec.name,
        "paper": spec.paper,
        "licence": spec.licence,
        "options": spec.options,
        "codeword_dims": spec.codeword_dims,
        "published_nmse_db": spec.published,
        "variants": {key: value._asdict() for key, value in spec.variants.items()},
        "weights": weights_by_name.cards(spec.name),
        "description": spec.build.__doc__,
    }


def summary(
    name: str,
    codeword_dim: int | None = None,
    model_args: str = "{}",
    csi_shape: tuple[int, ...] | None = None,
) -> dict:
    """Parameters, bytes and operations of a network in all conventions, per side.

    Args:
        name: registry name.
        codeword_dim: codeword length M, the longest of the network by default.
        model_args: the paper's options as JSON.
        csi_shape: (N_t, N_a, 2) or (T, N_t, N_a, 2); None: the network's own.

    Returns:
        What was built, and the counts of `zoo.metrics.flops.summary`.
    """
    spec, args = registry.get(name), parse_object("model_args", model_args)
    if codeword_dim is None:
        codeword_dim = max(spec.codeword_dims)
    csi_shape = csi_shape or spec.csi_shape
    model = registry.build(name, csi_shape, codeword_dim, args)
    return {
        "name": spec.name,
        "csi_shape": csi_shape,
        "codeword_dim": codeword_dim,
        "model_args": args,
        **flops.summary(model),
    }


def render(value) -> str:
    """Text for people: two lines per network, a table of counts or aligned keys."""
    if isinstance(value, list):
        return "\n".join(map(_render_network, value))
    if "ue_macs" in value:
        return _render_counts(value)
    width = max(map(len, value))
    return "\n".join(f"{key:<{width}}  {item}" for key, item in value.items())


def _render_network(row: dict) -> str:
    if row["kind"] != "network":
        return f"{row['name']:<17} {row['kind']}\n{'':<17} {row['paper']}"
    dims = " ".join(map(str, row["codeword_dims"]))
    options = ", ".join(f"{key}={value!r}" for key, value in row["options"].items())
    choices = f"M {dims}; {options}" if options else f"M {dims}"
    lines = [choices, f"{row['paper']} ({row['licence']})"]
    lines += [f"weights: {', '.join(row['weights'])}"] if row["weights"] else []
    return f"{row['name']:<17} " + f"\n{'':<17} ".join(lines)


def _render_counts(value: dict) -> str:
    options = "".join(f", {k}={v!r}" for k, v in value["model_args"].items())
    shape = " x ".join(map(str, value["csi_shape"]))
    title = f"{value['name']}, CSI {shape}, M = {value['codeword_dim']}{options}"
    keys = [key.removeprefix("ue_") for key in value if key.startswith("ue_")]
    table = [("", *SIDES.values())]
    table += [(k, *(f"{value[f'{side}_{k}']:,}" for side in SIDES)) for k in keys]
    width = max(map(len, keys))
    lines = [f"{k:<{width}}" + "".join(f"{n:>15}" for n in row) for k, *row in table]
    return "\n".join([title, *lines])
