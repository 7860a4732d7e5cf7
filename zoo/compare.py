"""Train networks alike on one data set and compare them: python -m zoo.compare.

    python -m zoo.compare --dataset=cost2100_sim/indoor --models=crnet,clnet
        --codeword_dims=512,128 --bits=4 --seeds=3 --minutes=10 --processes=2

Every network is trained with every codeword length and number of bits, for as many
minutes by its own measured step time (--minutes) or for as many epochs (--epochs), and
evaluated beside classic methods. --directory gets comparison.json, leaderboard.md, .csv
and .tex, plots of NMSE over feedback bits, MACs and bytes, and the page comparison.html
with all of it. A command that was killed goes on where it was. What fails is a row that
says why; the exit status is then 1.
"""

from __future__ import annotations

import functools
import shlex
import sys
from pathlib import Path

from absl import flags

from tfds_builders import cli
from zoo import files
from zoo.api.comparing import carry_out
from zoo.experiments import comparison_plan, engines
from zoo.experiments.comparison_plan import Plan
from zoo.reporting import comparison_table


def plan_from_flags(values: flags.FlagValues) -> Plan:
    """Plan of the parsed flags.

    Raises:
        ValueError: a value is missing or out of range.
    """
    cli.require("dataset", "models")
    try:
        dims, bits = (
            tuple(map(int, values[key].value)) for key in ("codeword_dims", "bits")
        )
    except ValueError as error:
        raise ValueError(f"--codeword_dims, --bits: {error}") from None
    names = ("quantizer", "seeds", "minutes", "epochs", "init", "own_lr")
    rest = {name: values[name].value for name in names}
    return Plan(tuple(values.models), dims, bits, **rest,
                baselines=tuple(values.baselines))  # fmt: skip


def main(argv: list[str]) -> int:
    """Command line; the status is 1 where something failed."""
    cli.refuse_arguments(argv)
    values = flags.FLAGS
    new_pool = functools.partial(engines.pool, values, go_on=True)
    plan, place = plan_from_flags(values), Path(values.directory)
    more = [f"--data_dir={values.data_dir}", *shlex.split(values.flags)]
    content = carry_out(plan, values.dataset, more, place, new_pool)
    if values.json:
        files.write_json(Path(values.json), content)
        print(f"comparison: {values.json}")
    print(f"\n{comparison_table.text(content)}")
    failed = len(content["failures"])
    if failed:
        what = f"{failed} of {failed + len(content['rows'])} rows failed"
        print(f"error: {what}, the leaderboard says why", file=sys.stderr)
    return int(failed > 0)


def define_flags() -> None:
    """Flags of the comparison, then those of where it is made."""
    flags.DEFINE_string("dataset", "", "TFDS name/config, as of zoo.train")
    flags.DEFINE_string("data_dir", "", "TFDS data directory; empty: TFDS default")
    flags.DEFINE_list("models", [], "networks, as --model of zoo.train names them")
    flags.DEFINE_list("codeword_dims", ["512"], "codeword lengths M")
    flags.DEFINE_list("bits", ["0"], "bits per codeword entry; 0: float codewords")
    flags.DEFINE_string("quantizer", "uniform", "of bits, as of zoo.train")
    flags.DEFINE_integer("seeds", 1, "seeds of every training, 0, 1, ...", 1)
    flags.DEFINE_float("minutes", None, "of each training, on its own cores")
    flags.DEFINE_integer("epochs", None, "of each training, instead of --minutes")
    flags.DEFINE_enum(
        "init", "klt", comparison_plan.STARTS, "start of networks that have such a one"
    )
    flags.DEFINE_float(
        "own_lr",
        comparison_plan.OWN_LR,
        "peak learning rate of networks without a flagfile",
    )
    flags.DEFINE_list(
        "baselines",
        list(comparison_plan.CLASSIC),
        "classic methods beside them; codecs such as pursuit get the bits of --bits",
    )
    flags.DEFINE_string(
        "flags", "", 'more flags of every training, e.g. "--batch_size=200"'
    )
    flags.DEFINE_string("directory", "runs/compare", "of runs and results")
    flags.DEFINE_string("json", "", "also write comparison.json here")
    engines.define_flags()


if __name__ == "__main__":
    define_flags()
    cli.run(main)
