"""Look at the zoo: python -m zoo list | info NAME | summary NAME."""

from __future__ import annotations

import fnmatch
import inspect
import json

from absl import flags

from tfds_builders import cli
from zoo import registry
from zoo.baselines.catalogue import BASELINES
from zoo.config_checks import parse_object
from zoo.metrics import flops
from zoo.models.receivers import RECEIVERS

USAGE = "usage: python -m zoo list [PATTERN] | info NAME | summary NAME [--flags]"
SIDES = {"ue": "UE", "bs": "BS", "total": "total"}


def list_models(pattern: str = "*") -> list[dict]:
    """Source and choices of all whose name matches a pattern.

    Returns:
        Networks, networks of the receiver (`--receiver`) and baselines (`python -m
        zoo.baseline`), by `kind`.
    """
    rows = [
        {
            "kind": "network",
            "name": spec.name,
            "paper": spec.paper,
            "licence": spec.licence,
            "options": spec.options,
            "codeword_dims": spec.codeword_dims,
        }
        for spec in registry.MODELS.values()
    ]
    rows += [
        {"kind": "receiver", "name": name, "paper": receiver.paper}
        for name, receiver in RECEIVERS.items()
    ]
    rows += [
        {"kind": "baseline", "name": name, "paper": f"{paper}. {note}"}
        for name, (paper, note) in BASELINES.items()
    ]
    return [row for row in rows if fnmatch.fnmatch(row["name"], pattern)]


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
        "description": spec.build.__doc__,
    }


def summary(name: str, codeword_dim: int | None = None, model_args: str = "{}") -> dict:
    """Parameters, bytes and operations of a network in all conventions, per side.

    Args:
        name: registry name.
        codeword_dim: codeword length M, the longest of the network by default.
        model_args: the paper's options as JSON.

    Returns:
        What was built, and the counts of `zoo.metrics.flops.summary`.
    """
    spec, args = registry.get(name), parse_object("model_args", model_args)
    if codeword_dim is None:
        codeword_dim = max(spec.codeword_dims)
    csi_shape = inspect.signature(spec.build).parameters["csi_shape"].default
    model = registry.build(name, csi_shape, codeword_dim, args)
    return {
        "name": name,
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
    return f"{row['name']:<17} {choices}\n{'':<17} {row['paper']} ({row['licence']})"


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


def main(argv: list[str]) -> None:
    """Command line."""
    command, names = (argv[1] if len(argv) > 1 else ""), argv[2:]
    if command == "list" and len(names) < 2:
        value = list_models(*names)
    elif command == "info" and len(names) == 1:
        value = info(names[0])
    elif command == "summary" and len(names) == 1:
        value = summary(names[0], flags.FLAGS.codeword_dim, flags.FLAGS.model_args)
    else:
        raise ValueError(f"got {' '.join(argv[1:]) or 'no command'!r}; {USAGE}")
    as_json = flags.FLAGS.format == "json"
    print(json.dumps(value, indent=2) if as_json else render(value))


if __name__ == "__main__":
    flags.DEFINE_enum("format", "text", ["text", "json"], "output format")
    flags.DEFINE_integer(
        "codeword_dim", None, "codeword length M (summary); the longest by default"
    )
    flags.DEFINE_string("model_args", "{}", "the paper's options as JSON (summary)")
    cli.run(main)
