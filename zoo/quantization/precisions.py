"""Precisions of the UE's encoder and the flags that choose and tune them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from absl import flags


@dataclass(frozen=True)
class Precision:
    """How an encoder is converted and how far its codewords may be from the network's.

    Attributes:
        file: its name in the export.
        tolerance: of the codeword's error against the network or, of fake-quantised
            encoders, their simulation. In float32 of the worst entry in units of the
            largest (or 1), else of the root mean square as a share of the codewords'
            own about their mean: a constant codeword is at 1 or more, that of another
            CSI at about 1.4.
        fake_quantised: it has fake quantisers, calibrated on training CSI.
        calibrated: the converter calibrates it on training CSI.
        compressed: `zoo.quantization.compression` prunes or clusters its large kernels.
        set_up: sets the options of the converter.
    """

    file: str
    tolerance: float
    fake_quantised: bool = False
    calibrated: bool = False
    compressed: bool = False
    set_up: Callable | None = None

    @property
    def rounds(self) -> bool:
        """Whether it is more than the network's float32 arithmetic."""
        return self.set_up is not None


def _optimise(converter) -> None:
    import tensorflow as tf  # seconds that those who only name a precision save

    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _fp16(converter) -> None:
    import tensorflow as tf

    _optimise(converter)
    converter.target_spec.supported_types = [tf.float16]


def _int8_io(converter) -> None:
    import tensorflow as tf

    _optimise(converter)
    converter.inference_input_type = converter.inference_output_type = tf.int8


def _int16x8(converter) -> None:
    import tensorflow as tf

    _optimise(converter)
    sets = tf.lite.OpsSet
    converter.target_spec.supported_ops = [
        sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        sets.TFLITE_BUILTINS,
    ]


# Refuse a file that the converter spoilt, not one whose rounding costs decibels: those
# the table shows. CRNet, ACRNet, CLNet and CLLWCsiNet, trained at 1/16, are at 0.04 or
# less in fp16, 0.24 in dynamic, 0.53 in int16x8 and, all but ACRNet, 0.18 in int8.
PRECISIONS = {
    "fp32": Precision("encoder.tflite", 1e-3),
    "dynamic": Precision("encoder_dynamic.tflite", 0.6, set_up=_optimise),
    "fp16": Precision("encoder_fp16.tflite", 0.2, set_up=_fp16),
    "int8": Precision("encoder_int8.tflite", 0.6, True, set_up=_optimise),
    "int8_io": Precision("encoder_int8_io.tflite", 0.6, True, set_up=_int8_io),
    "int16x8": Precision(
        "encoder_int16x8.tflite", 0.8, calibrated=True, set_up=_int16x8
    ),
    "qat": Precision("encoder_qat.tflite", 0.6, True, set_up=_optimise),
    "pruned": Precision("encoder_pruned.tflite", 1e-3, compressed=True),
    "clustered": Precision("encoder_clustered.tflite", 1e-3, compressed=True),
}
DEFAULT_PRECISIONS = ("fp32", "dynamic")


def check_precisions(names) -> tuple[str, ...]:
    """Names of precisions without repetition, the order kept.

    Raises:
        ValueError: none, or one that does not exist.
    """
    for name in names:
        if name not in PRECISIONS:
            raise ValueError(
                f"--precision={name}: expected some of {', '.join(PRECISIONS)}"
            )
    if not names:
        raise ValueError(f"--precision is empty: expected {', '.join(PRECISIONS)}")
    return tuple(dict.fromkeys(names))


def check_strength(sparsity: float, clusters: int) -> None:
    """Refuse a share of zeros or a number of values that is not usable.

    Raises:
        ValueError: one is outside its limits.
    """
    if not 0 < sparsity < 1:
        raise ValueError(f"--sparsity={sparsity}: expected more than 0, less than 1")
    if not 2 <= clusters <= 256:
        raise ValueError(f"--clusters={clusters}: expected 2 to 256")


@dataclass(frozen=True)
class QatOptions:
    """How long and how fast.

    Attributes:
        epochs: passes over the samples.
        lr: step at the start, relative to the size of a variable; a cosine to zero.
        batch_size: samples per step.
        seed: of the order.
    """

    epochs: int = 6
    lr: float = 1e-3
    batch_size: int = 100
    seed: int = 0


@dataclass(frozen=True)
class EncoderOptions:
    """Which encoders an export holds and how they are made.

    Attributes:
        precisions: keys of `PRECISIONS`.
        calibration_samples: training CSI that int8 ranges are chosen on, 2 or more.
        int8_loss_db: NMSE that int8 may cost before tensors stay float.
        qat: of the precision 'qat'.
        qat_samples: training CSI of 'qat', 'pruned' and 'clustered'; 0: all.
        sparsity: share of zeros in the large kernels of 'pruned'.
        clusters: number of values in those of 'clustered'.
        evaluate: whether to compare the encoders on test CSI.
        test_samples: test CSI for that; 0: all.
    """

    precisions: tuple[str, ...] = DEFAULT_PRECISIONS
    calibration_samples: int = 500
    int8_loss_db: float = 0.2
    qat: QatOptions = QatOptions()
    qat_samples: int = 10_000
    sparsity: float = 0.5
    clusters: int = 16
    evaluate: bool = False
    test_samples: int = 0

    def __post_init__(self):
        check_precisions(self.precisions)
        check_strength(self.sparsity, self.clusters)
        for name in ("calibration_samples", "qat_samples", "test_samples"):
            if getattr(self, name) < 2 * (name == "calibration_samples"):
                raise ValueError(f"--{name}={getattr(self, name)}: expected more")

    @property
    def samples(self) -> int | None:
        """Training CSI that is needed; 0: all, None: none."""
        chosen = [PRECISIONS[name] for name in self.precisions]
        if not any(p.fake_quantised or p.calibrated or p.compressed for p in chosen):
            return None
        if "qat" not in self.precisions:
            return self.calibration_samples
        return self.qat_samples and max(self.qat_samples, self.calibration_samples)


def define_flags() -> None:
    """Flags of `EncoderOptions`."""
    default = EncoderOptions()
    flags.DEFINE_list(
        "precision", list(DEFAULT_PRECISIONS), f"encoders: {', '.join(PRECISIONS)}"
    )
    flags.DEFINE_integer(
        "calibration_samples", default.calibration_samples, "training CSI for int8"
    )
    flags.DEFINE_float(
        "int8_loss", default.int8_loss_db, "NMSE [dB] that int8 may cost"
    )
    flags.DEFINE_integer("qat_epochs", default.qat.epochs, "epochs of qat")
    flags.DEFINE_float("qat_lr", default.qat.lr, "learning rate of qat")
    flags.DEFINE_integer(
        "qat_samples",
        default.qat_samples,
        "CSI for qat, pruned, clustered; 0: all",
    )
    flags.DEFINE_float("sparsity", default.sparsity, "share of zeros of pruned")
    flags.DEFINE_integer("clusters", default.clusters, "values of clustered")
    flags.DEFINE_boolean(
        "evaluate", False, "print the table of encoders on test CSI in any case"
    )
    flags.DEFINE_integer("test_samples", 0, "test CSI of the table; 0: all")


def options() -> EncoderOptions:
    """Encoder options of the flags."""
    values = flags.FLAGS
    precisions = check_precisions(values.precision)
    return EncoderOptions(
        precisions=precisions,
        calibration_samples=values.calibration_samples,
        int8_loss_db=values.int8_loss,
        qat=QatOptions(values.qat_epochs, values.qat_lr),
        qat_samples=values.qat_samples,
        sparsity=values.sparsity,
        clusters=values.clusters,
        evaluate=values.evaluate or bool(set(precisions) - set(DEFAULT_PRECISIONS)),
        test_samples=values.test_samples,
    )
