"""Quantiser of codewords that hold magnitudes, phases and signs (DualNet-MP)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.keras_compat import keras, layers
from zoo.layers.polar_grid import PolarGrid
from zoo.layers.quantizers import check_bits
from zoo.layers.ranked_magnitudes import RankedMagnitudes
from zoo.layers.ssq import staircase

PHASES = ("ssq", "straight")


@keras.utils.register_keras_serializable(package="zoo")
class PolarQuantizer(layers.Layer):
    """Magnitudes, phases and the signs of the largest entries, K and other bits each.

    Of DualNet-MP's paper (Lin, Liu, Lee, Ding, IEEE Wireless Communications Letters
    10(10), 2021, https://arxiv.org/abs/2103.00432). Magnitudes are quantised evenly
    over their range in the training CSI, phase entries to K bits over [-1, 1). Signs
    are sent for the `sign_share` of the N entries with the largest magnitudes, which
    both ends find from the magnitudes' indices (`zoo.layers.ranking`). `fit` and
    `magnitudes.fit_ranking` come first; before them the layer gives NaN.

    Args:
        bits: K, 1 to 10, of a phase entry; 1 is the paper's BLQ.
        magnitude_dim: entries of the magnitudes.
        magnitude_bits: bits of each, 1 to 8.
        num_signs: N behind the phases; 0: the codeword has no signs.
        sign_share: R_s.
        unsent: what stands for a sign that is not sent; 0 leaves the imaginary part
            of the entry 0.
        phase: gradient of the phases' rounding: 'ssq', of the sum of sigmoids, or
            'straight' through.

    Raises:
        ValueError: an argument is out of range.

    Deviations: the paper takes magnitudes as exact and says that both ends know the
    BS's estimate of them; the UE, without the uplink, does not.
    """

    def __init__(
        self,
        bits: int,
        magnitude_dim: int = 256,
        magnitude_bits: int = 6,
        num_signs: int = 1024,
        sign_share: float = 0.25,
        unsent: float = 0.0,
        phase: str = "ssq",
        **kwargs,
    ):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        check_bits(bits)
        if bits > 10:
            raise ValueError(f"bits is {bits}, expected 1 to 10 of a phase")
        if phase not in PHASES or (phase == "ssq" and bits == 1):
            raise ValueError(
                f"phase is {phase!r} at {bits} bits, expected 'straight', or 'ssq' "
                "from 2 bits on"
            )
        if not 0 < sign_share <= 1:
            raise ValueError(f"sign_share is {sign_share}, expected more than 0, to 1")
        self.bits, self.phase, self.unsent = bits, phase, float(unsent)
        self.num_signs, self.sign_share = num_signs, sign_share
        self.magnitudes = RankedMagnitudes(
            magnitude_dim, magnitude_bits, num_signs, name="magnitudes"
        )

    def build(self, input_shape):
        """Create the magnitudes' grid and the ranking for `[batch, M]`."""
        behind = input_shape[-1] - self.magnitudes.dim
        self.phase_dim = behind - self.num_signs
        if self.phase_dim < 1:
            raise ValueError(
                f"a codeword of {input_shape[-1]} entries is too short for "
                f"magnitude_dim {self.magnitudes.dim} and num_signs {self.num_signs}"
            )
        self.magnitudes.build()
        super().build(input_shape)

    @property
    def sections(self) -> tuple[tuple[int, int], ...]:
        """(Entries, bits) of the parts of what is sent."""
        first = self.magnitudes.dim, self.magnitudes.bits
        sections = (first, (self.phase_dim, self.bits))
        sent = round(self.sign_share * self.num_signs)
        return (*sections, (sent, 1)) if sent else sections

    @property
    def needs_fit(self) -> bool:
        """Whether the magnitudes' grid is still missing."""
        return self.magnitudes.needs_fit

    def fit(self, codeword: np.ndarray) -> None:
        """Set the magnitudes' grid from codewords `[n, M]` of training CSI."""
        self.magnitudes.fit(codeword)

    def frozen(self, frozen: bool = True) -> PolarGrid:
        """The grid as constants, for exported graphs."""
        grid, rank = self.magnitudes.grid(frozen), self.magnitudes.ranking(frozen)
        return PolarGrid(grid, rank, self.sections, self.num_signs, self.unsent)

    @property
    def grid(self) -> PolarGrid:
        """The current grid."""
        return self.frozen(False)

    def indices(self, codeword):
        """Quantise `[batch, M]` float32 to int32 `[batch, what is sent]`."""
        return self.grid.indices(codeword)

    def dequantize(self, indices):
        """Map int32 indices to the codeword `[batch, M]` float32 that arrives."""
        return self.grid.dequantize(indices)

    def call(self, codeword, training=False):
        """What arrives of `[batch, M]`; smooth in training with 'ssq'."""
        codeword = tf.cast(codeword, "float32")
        arrived = self.dequantize(self.indices(codeword))
        grid = self.grid
        exact, sent = grid.split(codeword), grid.split(arrived)
        through = [
            x + tf.stop_gradient(y - x) for x, y in zip(exact, sent, strict=True)
        ]
        if training and self.phase == "ssq":
            through[1] = staircase(exact[1] * grid.half, grid.half) / grid.half
        return tf.concat(through, axis=1)

    def agreed(self) -> dict:
        """What both sides must know, for codec.json."""
        return {
            "scale": float(self.magnitudes.scale),
            "zero": float(self.magnitudes.zero),
            "sections": [list(section) for section in self.sections],
            "unsent_sign": self.unsent,
        }

    def compute_output_shape(self, input_shape):
        """Shape of the input."""
        return input_shape

    def get_config(self):
        """Constructor arguments."""
        names = ("bits", "phase", "num_signs", "sign_share", "unsent")
        own = {name: getattr(self, name) for name in names}
        own["magnitude_dim"] = self.magnitudes.dim
        own["magnitude_bits"] = self.magnitudes.bits
        return {**super().get_config(), **own}
