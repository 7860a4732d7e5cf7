"""Look at the zoo: python -m zoo list | info NAME | summary NAME."""

from __future__ import annotations

import fnmatch
import json

from absl import flags

from tfds_builders import cli
from zoo import complexity, registry
from zoo.config import parse_model_args

USAGE = "usage: python -m zoo list [PATTERN] | info NAME | summary NAME [--flags]"


def list_models(pattern: str = "*") -> list[dict]:
    """Name, paper and licence of every network whose name matches a pattern."""
    return [
        {"name": spec.name, "paper": spec.paper, "licence": spec.licence}
        for spec in registry.MODELS.values()
        if fnmatch.fnmatch(spec.name, pattern)
    ]


def info(name: str) -> dict:
    """Everything the registry knows of a network, its docstring included."""
    spec = registry.get(name)
    return {
        "name": spec.name,
        "paper": spec.paper,
        "licence": spec.licence,
        "options": spec.options,
        "published_nmse_db": spec.published,
        "description": spec.build.__doc__,
    }


def summary(name: str, codeword_dim: int, model_args: str) -> dict:
    """Parameters, MACs and bytes of a network, per side."""
    args = parse_model_args(model_args)
    model = registry.build(name, codeword_dim=codeword_dim, model_args=args)
    return {
        "name": name,
        "codeword_dim": codeword_dim,
        "model_args": args,
        **complexity.summary(model),
    }


def render(value) -> str:
    """Text for people: aligned keys, one object a block."""
    if isinstance(value, list):
        return "\n".join(
            f"{v['name']:<12} {v['licence']:<12} {v['paper']}" for v in value
        )
    width = max(map(len, value))
    lines = []
    for key, item in value.items():
        text = f"{item:,}" if isinstance(item, int) else str(item)
        lines.append(f"{key:<{width}}  {text}")
    return "\n".join(lines)


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
    flags.DEFINE_integer("codeword_dim", 512, "codeword length M (summary)")
    flags.DEFINE_string("model_args", "{}", "the paper's options as JSON (summary)")
    cli.run(main)
