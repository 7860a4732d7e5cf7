"""Blocks of unfolded iterations whose sparse domain is a learned convolution."""

from __future__ import annotations

import math

import tensorflow as tf

from zoo.keras_compat import PYTORCH_BN, keras, layers
from zoo.layers.regularisers import soft_threshold
from zoo.layers.unfolding import Block, adjoint, residual

OFF_CENTRE = 1e-2  # of a kernel that starts as the identity: its random part
ORDERS = ("csi", "public")


class ConvBlock(Block):
    """Gradient step and learned shrinkage of `[batch, N]` as CSI.

    Gives the next x and, for the loss of training, how far the backward transform is
    from undoing the forward one, both `[batch, N]`.

    Args:
        sensing: see `Block`.
        csi_shape: (N_t, N_a, 2).
        channels: of the transforms.
        order: what the convolutions see. 'csi': the CSI. 'public': its numbers in the
            order (part, angle, delay), reshaped to (N_t, N_a, 2), so that a pixel is
            two neighbouring delays of one part.
    """

    def __init__(self, sensing, csi_shape, channels: int, order="csi", **kwargs):
        super().__init__(sensing, **kwargs)
        self.csi_shape, self.channels = tuple(csi_shape), channels
        self.order = order

    def kernel(self, name: str, size: int, inputs: int, outputs: int):
        """Create the kernel of a convolution without bias."""
        return self.add_weight(name=name, shape=(size, size, inputs, outputs))

    def conv(self, x, kernel):
        """Convolution `[batch, N_t, N_a, channels]` with zeros at the edges."""
        return tf.nn.conv2d(x, kernel, 1, "SAME")

    def pair(self, x, kernels):
        """Convolution, ReLU, convolution."""
        first, second = kernels
        return self.conv(tf.nn.relu(self.conv(x, first)), second)

    def gradient_step(self, x, v, step):
        """X - step A^T (A x - v) for the convolutions; x None stands for 0.

        Returns:
            `[batch, N_t, N_a, 2]`, in this block's order of numbers.
        """
        kernel = self.sensing.kernel
        change = -step * adjoint(residual(x, v, kernel), kernel)
        r = change if x is None else x + change
        csi = tf.reshape(r, (-1, *self.csi_shape))
        if self.order == "public":
            csi = tf.reshape(tf.transpose(csi, (0, 3, 1, 2)), (-1, *self.csi_shape))
        return csi

    def flat(self, image):
        """What the convolutions give as `[batch, N]`, in the order of the CSI."""
        if self.order == "public":
            n_t, n_a, parts = self.csi_shape
            image = tf.reshape(image, (-1, parts, n_t, n_a))
            image = tf.transpose(image, (0, 2, 3, 1))
        return tf.reshape(image, (-1, math.prod(self.csi_shape)))

    def transforms(self) -> list:
        """Kernels of the convolutions."""
        return [w for w in self.weights if len(w.shape) == 4]

    def macs(self) -> int:
        """Multiply-accumulates of one example in inference."""
        convolutions = sum(math.prod(kernel.shape) for kernel in self.transforms())
        return self.sensing_macs() + convolutions * math.prod(self.csi_shape[:2])

    def compute_output_shape(self, input_shape):
        """`[batch, N]`, twice."""
        return [super().compute_output_shape(input_shape)] * 2


class IstaNetPhase(ConvBlock):
    """Phase of ISTA-Net: B(soft(F(r), theta)), r = x - rho A^T (A x - v).

    F is 3x3 2 -> channels, ReLU, 3x3 channels -> channels; B is its mirror image.
    """

    def build(self, input_shape):
        """Create rho, theta and the four kernels."""
        parts, channels = self.csi_shape[-1], self.channels
        self.rho, self.theta = self.scalar("rho", 0.5), self.scalar("theta", 0.01)
        self.forward = [
            self.kernel("forward1", 3, parts, channels),
            self.kernel("forward2", 3, channels, channels),
        ]
        self.backward = [
            self.kernel("backward1", 3, channels, channels),
            self.kernel("backward2", 3, channels, parts),
        ]
        super().build(input_shape)

    def iterate(self, x, v):
        """Next x and B(F(r)) - r."""
        r = self.gradient_step(x, v, self.rho)
        code = self.pair(r, self.forward)
        x = self.pair(soft_threshold(code, self.theta), self.backward)
        symmetry = self.pair(code, self.backward) - r
        return [self.flat(x), self.flat(symmetry)]

    def start_neutral(self, theta: float) -> None:
        """Make B and F the identity but for small random parts: rho 1."""
        self.rho.assign(1.0)
        self.theta.assign(theta)
        for kernels in (self.forward, self.backward):
            _identity_pair(*kernels, self.csi_shape[-1])


def _identity_pair(first, second, parts: int) -> None:
    """Two kernels around a ReLU that give the first `parts` channels back."""
    centre = first.shape[0] // 2
    for kernel, signs in ((first, (1.0, -1.0)), (second, (1.0, -1.0))):
        value = OFF_CENTRE * kernel.numpy()
        for part in range(parts):
            for turn, sign in enumerate(signs):
                split = part + parts * turn
                place = (part, split) if kernel is first else (split, part)
                value[(centre, centre, *place)] += sign
        kernel.assign(value)


class FistaNetPhase(ConvBlock):
    """Phase of FISTA-Net: r + G(B(soft(F(D(r)), theta))) behind a momentum step.

    With y = x + tau (x - x_before), r = y - step A^T (A y - v). D is 3x3 2 -> channels,
    F and B are 1x1, ReLU, 1x1, G is 3x3 channels -> 2. theta of a channel and sample is
    its mean |F| times sigmoid(FC(relu(BN(FC)))) of all channels' means.

    Args:
        sensing: see `Block`.
        csi_shape: (N_t, N_a, 2).
        channels: of the transforms.
        order: see `ConvBlock`.
        squeezed: outputs of the first FC layer.
    """

    def __init__(
        self,
        sensing,
        csi_shape,
        channels: int,
        order="csi",
        squeezed: int = 4,
        **kwargs,
    ):
        super().__init__(sensing, csi_shape, channels, order, **kwargs)
        self.squeeze = layers.Dense(squeezed, name="squeeze", dtype="float32")
        self.norm = layers.BatchNormalization(name="bn", dtype="float32", **PYTORCH_BN)
        self.excite = layers.Dense(
            channels, activation="sigmoid", name="excite", dtype="float32"
        )

    def build(self, input_shape):
        """Create tau, step, the kernels and the threshold's layers."""
        parts, channels = self.csi_shape[-1], self.channels
        self.tau, self.step = self.scalar("tau", 0.01), self.scalar("step", 0.01)
        self.enter = self.kernel("enter", 3, parts, channels)
        self.forward = [self.kernel(f"forward{i}", 1, channels, channels) for i in "12"]
        self.backward = [
            self.kernel(f"backward{i}", 1, channels, channels) for i in "12"
        ]
        self.leave = self.kernel("leave", 3, channels, parts)
        self.squeeze.build((None, channels))
        self.norm.build((None, self.squeeze.units))
        self.excite.build((None, self.squeeze.units))
        super().build(input_shape)

    def call(self, inputs, training=False):
        """Next x and B(F(d)) - d of v, of `[x, v]` or of `[x, x_before, v]`."""
        *before, v = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        zero = tf.zeros((1, self.sensing.kernel.shape[0]))
        x, x_before, *_ = [*before, zero, zero]
        x = x + self.tau * (x - x_before)
        r = self.gradient_step(x, v, self.step)
        d = self.conv(r, self.enter)
        code = self.pair(d, self.forward)
        shrunk = soft_threshold(code, self._threshold(code, training))
        out = r + self.conv(self.pair(shrunk, self.backward), self.leave)
        symmetry = self.pair(code, self.backward) - d
        return [self.flat(out), tf.reshape(symmetry, (tf.shape(out)[0], -1))]

    def _threshold(self, code, training):
        """`[batch, 1, 1, channels]`."""
        mean = tf.reduce_mean(tf.abs(code), axis=(1, 2))
        share = tf.nn.relu(self.norm(self.squeeze(mean), training=training))
        return (mean * self.excite(share))[:, None, None, :]

    def start_neutral(self, theta: float) -> None:
        """Leave the gradient step: no momentum, step 1, nothing added to r."""
        del theta  # the shrinkage is relative to the code
        self.tau.assign(0.0)
        self.step.assign(1.0)
        self.leave.assign(tf.zeros_like(self.leave))

    def macs(self) -> int:
        """Multiply-accumulates of one example in inference."""
        return super().macs() + 2 * math.prod(self.squeeze.kernel.shape)

    def compute_output_shape(self, input_shape):
        """`[batch, N]` and `[batch, N_t N_a channels]`."""
        shape, _ = super().compute_output_shape(input_shape)
        return [shape, (shape[0], math.prod(self.csi_shape[:2]) * self.channels)]


@keras.utils.register_keras_serializable(package="zoo")
class Penalty(layers.Layer):
    """What adds to the loss: w_x sum ||x_t - h||^2 / N + w_s sum mean(s_t^2).

    Args:
        estimates: number of intermediate estimates x_t.
        weights: (w_x, w_s).
    """

    def __init__(self, estimates: int, weights: tuple[float, float], **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.estimates, self.weighting = estimates, tuple(weights)

    def call(self, inputs):
        """`[batch]` of the CSI `[batch, N_t, N_a, 2]`, all x_t and all s_t."""
        csi, *terms = inputs
        h = tf.reshape(csi, (-1, math.prod(csi.shape[1:]))) - 0.5
        of_csi, of_symmetry = self.weighting
        errors = [_mean_square(x - h) for x in terms[: self.estimates]]
        symmetries = [_mean_square(s) for s in terms[self.estimates :]]
        return sum([of_csi * e for e in errors] + [of_symmetry * s for s in symmetries])

    def compute_output_shape(self, input_shape):
        """`[batch]`."""
        return (input_shape[0][0],)

    def get_config(self):
        """Constructor arguments."""
        own = {"estimates": self.estimates, "weights": self.weighting}
        return {**super().get_config(), **own}


def _mean_square(x):
    return tf.reduce_mean(tf.square(x), axis=1)
