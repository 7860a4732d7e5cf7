"""Flags of reports of eigenvectors, see `zoo.baseline`."""

from __future__ import annotations

from absl import flags

from tfds_builders import subbands
from zoo.codecs.codebooks.catalogue import CODEBOOKS
from zoo.codecs.eigen_report import CODED, KLTS, METHODS, EigenReport
from zoo.config_checks import CSI_ALONE

TARGETS = ("csi", "eigenvectors")
OPTIONS = tuple(name for codebook in CODEBOOKS.values() for name in codebook.options)
# Which methods a flag is for, where it is not for all that send eigenvectors.
BELONGS = {
    "target": ("klt", *CODED),
    "phase": KLTS,
    "per_subband": ("klt",),
    **{
        option: (name,)
        for name, codebook in CODEBOOKS.items()
        for option in codebook.options
    },
}
# Flags of CSI that eigenvectors do not take.
OF_CSI = ("perturb", "noise", "report_nmse", "calibrate")
CHANGES = ("scaling", "csi_noise")  # of the CSI
COMMON = ("rank", "num_subbands", "snr_db", "num_users", "phase", "per_subband")


def define_flags(values: flags.FlagValues) -> None:
    """Define them."""
    flags.DEFINE_enum(
        "target", "csi", list(TARGETS), "what klt and its codecs send",
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_enum(
        "phase", "port", list(subbands.PHASES), "what is made real (eigenvectors of "
        "a KLT): the strongest port of all subbands, of each, or the product with the "
        "subband before", flag_values=values,
    )  # fmt: skip
    flags.DEFINE_enum(
        "num_phases", "8", ["4", "8"], "N_PSK (type2)", flag_values=values
    )
    for name, text in (
        ("subband_amplitude", "amplitudes per subband (type2)"),
        ("per_subband", "a KLT of each subband and layer (klt of eigenvectors)"),
    ):
        flags.DEFINE_bool(name, False, text, flag_values=values)
    for name, default, least, most, text in (
        ("param_combination", 4, 1, 8, "paramCombination-r16 (etype2)"),
        ("num_beams", 4, 2, 4, "L (type2)"),
        ("rank", 1, 1, 4, "layers (eigenvectors)"),
        ("num_subbands", 0, 0, None, "N3 (eigenvectors); 0: those stored, or 13"),
        ("num_users", 4, 1, None, "K of zero forcing (eigenvectors)"),
    ):
        flags.DEFINE_integer(name, default, text, least, most, flag_values=values)
    flags.DEFINE_float(
        "snr_db", 10.0, "of one receive antenna, for rates (eigenvectors)",
        flag_values=values,
    )  # fmt: skip


def report_of(values: flags.FlagValues) -> EigenReport | None:
    """What sends eigenvectors by the parsed flags; None: the target is the CSI.

    Raises:
        ValueError: a flag without effect, or a coded KLT without bits.
    """
    name = values.method
    if name not in CODEBOOKS and values.target == "csi":
        for flag in COMMON:
            if values[flag].present:
                raise ValueError(
                    f"--{flag} has no effect on --method={name} of the CSI: leave it "
                    f"out, or give --target=eigenvectors ({', '.join(METHODS)})"
                )
        return None
    for flag in OF_CSI:
        if values[flag].present:
            raise ValueError(f"--{flag} has no effect on eigenvectors: leave it out")
    for flag in CHANGES:
        if values[flag].value not in CSI_ALONE[flag]:
            raise ValueError(
                f"--{flag}={values[flag].value} has no effect on eigenvectors, which "
                "are those of clean, stored channels: leave it out"
            )
    own = CODEBOOKS[name].options if name in CODEBOOKS else ()
    own = ("oversampling",) if name == "pursuit" else own
    options = {option: values[option].value for option in own}
    if "num_phases" in options:
        options["num_phases"] = int(options["num_phases"])
    return EigenReport(
        name,
        options=options,
        bits=values.report_bits,
        fixed=values["rate"].value == "fixed",
        **{flag: values[flag].value for flag in COMMON},
    )
