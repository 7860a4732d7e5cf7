"""All commands of the project under one name: csizoo COMMAND, or python -m zoo COMMAND.

`csizoo train --epochs=3` is `python -m zoo.train --epochs=3`; `csizoo COMMAND --help`
shows the flags.
"""

from __future__ import annotations

import difflib
import json
import runpy
import sys
from pathlib import Path

from absl import flags

from tfds_builders import cli, environment, flag_help, quiet

LOOK = {
    "list": ("[PATTERN]", "list networks and baselines"),
    "info": ("NAME", "all about a network (NAME or ./my_net.py:SPEC)"),
    "summary": ("NAME", "its parameters and operations"),
}
COMMANDS = {
    "train": ("zoo.train", "train a network"),
    "train-stages": ("zoo.train_stages", "train in stages"),
    "evaluate": ("zoo.evaluate", "evaluate a run on the test split"),
    "export": ("zoo.export", "export a run: encoders, decoder, golden vectors"),
    "baseline": ("zoo.baseline", "evaluate a classic method"),
    "rate": ("zoo.rate", "error over bits, of codecs and networks"),
    "compare": ("zoo.compare", "train networks alike and compare them"),
    "reproduce": ("zoo.reproduce", "make tables and figures of the papers"),
    "report": ("zoo.report", "pages about results"),
    "quickstart": ("zoo.quickstart", "simulate, train, evaluate, export, serve"),
    "convert-weights": ("zoo.convert_weights", "import published weights"),
    "pretrained": ("zoo.pretrained", "ship weights with the zoo"),
    "published": ("zoo.published", "write the flagfiles of published rows"),
    "build": ("tfds_builders.build", "build a data set"),
    "add": ("tfds_builders.add", "make a data set of channels of your own"),
    "inspect": ("tfds_builders.inspect", "a page about a data set"),
    "serve": ("serving.server", "reference server with TensorFlow Serving's API"),
    "client": ("serving.client", "send feedback bits of many CSI to a decoder"),
    "ue": ("serving.ue", "a UE that reports its CSI periodically"),
    "golden": ("serving.golden", "replay the golden vectors of an export"),
    "conformance": ("serving.conformance", "does an endpoint answer as TF Serving?"),
    "deploy": ("serving.deployment", "write a tree for TensorFlow Serving"),
    "capacity": ("serving.capacity", "replicas for so many UEs"),
}


def overview(program: str) -> str:
    """The commands, one line each."""
    lines = [f"usage: {program} COMMAND [--flag=value ...]", ""]
    about = {f"{name} {argument}": text for name, (argument, text) in LOOK.items()}
    about |= {name: text for name, (_, text) in COMMANDS.items()}
    lines += [f"  {name:<16} {text}" for name, text in about.items()]
    lines += ["", f"{program} COMMAND --help shows its flags."]
    return "\n".join(lines)


def look(argv: list[str]) -> None:
    """Print the list of networks, one network, or its counts."""
    from zoo import registry

    values, (command, *names) = flags.FLAGS, argv[1:]
    if len(names) > 1 or (command != "list" and not names):
        raise ValueError(
            f"got {' '.join(names) or 'no name'}; usage: {flag_help.program()} "
            "[--flag=value ...]"
        )
    if command != "list":
        registry.admit(names[0])
        registry.check_name(names[0])  # before TensorFlow is imported
    from zoo.reporting import network_list

    if command == "list":
        value = network_list.list_models(*names)
    elif command == "info":
        value = network_list.info(*names)
    else:
        value = network_list.summary(
            *names, values.codeword_dim, values.model_args, _shape(values.csi_shape)
        )
    as_json = values.format == "json"
    print(json.dumps(value, indent=2) if as_json else network_list.render(value))


def _shape(words: list[str]) -> tuple[int, ...] | None:
    """Sizes of `--csi_shape`, which the network checks; None without the flag."""
    if not all(word.strip().isdigit() for word in words):
        raise ValueError(
            f"--csi_shape={','.join(words)}: expected N_t,N_a,2 such as 64,32,2"
        )
    return tuple(map(int, words)) or None


def define_flags() -> None:
    """Flags of list, info and summary."""
    flags.DEFINE_enum("format", "text", ["text", "json"], "output format")
    flags.DEFINE_integer(
        "codeword_dim", None, "codeword length M (summary); the longest by default"
    )
    flags.DEFINE_string("model_args", "{}", "the paper's options as JSON (summary)")
    flags.DEFINE_list(
        "csi_shape", [], "N_t,N_a,2 such as 64,32,2 (summary); the paper's by default"
    )


def _refuse(name: str, program: str) -> None:
    close = difflib.get_close_matches(name, [*LOOK, *COMMANDS], 3, 0.5)
    meant = f", did you mean {', '.join(close)}?" if close else ""
    print(
        f"error: no command {name!r}{meant} ({program} --help lists all)",
        file=sys.stderr,
    )
    sys.exit(2)


def main() -> None:
    """Run the command that the command line names."""
    script = Path(sys.argv[0]).name
    program = "python -m zoo" if script == "__main__.py" else script
    environment.prepare()
    quiet.start()
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in flag_help.SHORT or name == flag_help.FULL:
        flag_help.show(overview(program))
    flag_help.called_as = f"{program} {name}"
    if name in LOOK:
        arguments, flag_help.about_it = LOOK[name]
        flag_help.called_as += f" {arguments}"
        define_flags()
        cli.run(look)
        return
    if name not in COMMANDS:
        _refuse(name, program)
    del sys.argv[1]
    runpy.run_module(COMMANDS[name][0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
