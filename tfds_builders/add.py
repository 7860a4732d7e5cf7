"""Make a data set of channels of your own: `--dataset=own/NAME` for all commands.

    python -m tfds_builders.add --source=h.npy --name=mine
    python -m tfds_builders.add --source=track1.mat,track2.mat --group=file --name=mine
        --domain=paths --subcarriers=1024 --bandwidth_hz=20e6 --array=upa:8x4

Files are .npy, .npz, .mat (v5, v7, v7.3) and .h5, complex or with an axis of real and
imaginary parts; of paths, what Sionna, QuaDRiGa and DeepMIMO write.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfds_builders import cli, flag_help
from tfds_builders.blocks import OWN
from tfds_builders.own import antenna_array, delay_window, partition
from tfds_builders.own.layout import DOMAINS, Layout

SOURCE = ("source", "key", "domain", "axes", "rx", "time", "array", "subcarriers")
SOURCE += ("bandwidth_hz", "carrier_hz", "group")
RESULT = ("name", "delays", "split", "seed", "drop_bad", "overwrite", "data_dir")


def main(argv: list[str]) -> None:
    """Command line."""
    cli.refuse_arguments(argv)
    cli.require("source", "name")
    values = flags.FLAGS
    layout = Layout(
        domain=values.domain,
        axes=values.axes,
        key=values.key,
        array=antenna_array.parse(values.array),
        subcarriers=values.subcarriers,
        bandwidth_hz=values.bandwidth_hz,
        group=values.group,
    )
    delays, shares = delay_window.parse(values.delays), partition.parse(values.split)
    from tfds_builders.own import adding  # TensorFlow, which no wrong flag waits for

    if not 0 <= values.carrier_hz < float("inf"):
        raise ValueError(
            f"--carrier_hz={values.carrier_hz}: expected a positive number"
        )
    known = {"bandwidth_hz": values.bandwidth_hz, "carrier_hz": values.carrier_hz}
    record = {name: value for name, value in known.items() if value}
    record["options"] = {name: values[name].value for name in (*SOURCE, *RESULT[1:5])}
    options = adding.Options(
        keep_rx=values.rx == "keep",
        keep_time=values.time == "sequence",
        delays=delays,
        shares=shares,
        seed=values.seed,
        drop_bad=values.drop_bad,
        overwrite=values.overwrite,
        record=record,
    )
    files = [Path(name) for name in values.source]
    target = adding.add(files, values.name, layout, options, values.data_dir)
    print(f"--dataset={OWN}/{values.name} is in {target}")


def define_flags() -> None:
    """Flags of the command."""
    flags.DEFINE_list("source", [], "Files of channels in their order, or a folder.")
    flags.DEFINE_string("name", "", "The data set will be own/NAME.")
    flags.DEFINE_string("key", "", "Array of a file that holds several [found].")
    flags.DEFINE_enum("domain", "frequency", DOMAINS, "What the columns are.")
    flags.DEFINE_string(
        "axes",
        "",
        "What the axes are, in their order: sample, antenna (or angle), subcarrier (or "
        "delay), and group, time, rx, pol, reim [sample,antenna,subcarrier; with four "
        "axes sample,rx,antenna,subcarrier].",
    )
    flags.DEFINE_enum(
        "rx",
        "samples",
        ("samples", "keep"),
        "Receive antennas are samples of their own, or stacked along the angles.",
    )
    flags.DEFINE_enum(
        "time",
        "sequence",
        ("sequence", "samples"),
        "Times of a sample are one sequence, or samples of their own.",
    )
    flags.DEFINE_string(
        "array",
        "",
        "Base station: ula:64, upa:8x4 (columns, rows), upa:8x4x2 (with polarisations, "
        "the slowest in the order of antennas) [linear].",
    )
    flags.DEFINE_integer(
        "subcarriers", 0, "Of paths and taps: N_c of the grid.", lower_bound=0
    )
    flags.DEFINE_float("bandwidth_hz", 0, "Of all subcarriers; paths need it.")
    flags.DEFINE_float("carrier_hz", 0, "For the record.")
    flags.DEFINE_string(
        "group", "", "Array with the track, user or place of each sample, or 'file'."
    )
    flags.DEFINE_string("delays", "32", "Taps that are kept: 32, energy:0.99, all.")
    flags.DEFINE_list("split", "0.8,0.1,0.1", "Shares of training, validation, test.")
    flags.DEFINE_integer("seed", 0, "Of the splits.", lower_bound=0)
    flags.DEFINE_bool("drop_bad", False, "Leave bad samples out.")
    flags.DEFINE_bool("overwrite", False, "Replace a data set of that name.")
    flags.DEFINE_string("data_dir", "", "Folder of all data sets [TFDS's default].")
    flag_help.group("data", SOURCE)
    flag_help.group("output", RESULT)


if __name__ == "__main__":
    define_flags()
    cli.run(main)
