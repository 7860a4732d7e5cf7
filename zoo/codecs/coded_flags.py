"""Flags of the codecs that send CSI in real bytes, see `zoo.baseline`."""

from __future__ import annotations

from absl import flags

from zoo.codecs import coded as coded_csi
from zoo.codecs.coded import Coded
from zoo.codecs.methods import METHODS
from zoo.data.perturbations import Perturbation

# Which methods a flag is for.
BELONGS = {
    "report_bits": tuple(METHODS),
    "rate": tuple(METHODS),
    "oversampling": ("pursuit", "pursuit_learned"),
    "report_nmse": ("pursuit",),
    "noise": ("pursuit",),
    "calibrate": ("pursuit",),
    "perturb": tuple(METHODS),
}


def define_flags(values: flags.FlagValues) -> None:
    """Define them."""
    for name, choices, default, text in (
        ("rate", ("mean", "fixed"), "mean", "what --report_bits is (codecs)"),
        ("noise", coded_csi.NOISE, "none", "variance of noise not to send (pursuit)"),
    ):
        flags.DEFINE_enum(name, default, list(choices), text, flag_values=values)
    for name, define, default, text in (
        ("report_bits", flags.DEFINE_integer, 0, "bits of a report (codecs)"),
        (
            "report_nmse",
            flags.DEFINE_float,
            None,
            "error that will do [dB] (pursuit)",
        ),
        ("oversampling", flags.DEFINE_integer, 0, "of the grid (pursuit); 0: the best"),
        ("calibrate", flags.DEFINE_bool, False, "estimate antenna gains (pursuit)"),
        ("perturb", flags.DEFINE_string, "", "JSON of a perturbation (codecs)"),
    ):
        define(name, default, text, flag_values=values)


def coded_of(values: flags.FlagValues) -> Coded:
    """Codec of the parsed flags.

    Raises:
        ValueError: neither bits nor an error to end at, or both.
    """
    name, bits, target_db = values.method, values.report_bits, values.report_nmse
    if (bits > 0) == (target_db is not None):
        other = " or --report_nmse, such as -20" if name == "pursuit" else ""
        raise ValueError(f"--method={name} takes --report_bits, such as 512{other}")
    return Coded(
        name,
        bits,
        values["rate"].value == "fixed",
        values.oversampling,
        values.noise,
        target_db,
        values.calibrate,
        Perturbation.of(values.perturb or "{}"),
    )
