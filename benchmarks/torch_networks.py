"""PyTorch reference networks for the benchmarks of training (speed and curve).

Written from the papers' layer lists, parameter counts equal to the published ones.
Every network maps `[batch, 2, 32, 32]` (re/im, angle, delay) in [0, 1] to the same
shape. CRNet's and CsiNet's modules carry the names of the zoo's Keras layers.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional

CSI_SHAPE = (2, 32, 32)
FLAT = 2048
SLOPE = 0.3


def _named(**modules: nn.Module) -> nn.Sequential:
    """Modules in series, by name."""
    return nn.Sequential(OrderedDict(modules))


def _leaky(x: torch.Tensor) -> torch.Tensor:
    return functional.leaky_relu(x, SLOPE, inplace=True)


def _leaky_layer() -> nn.Module:
    return nn.LeakyReLU(SLOPE, inplace=True)


class ConvBN(nn.Sequential):
    """Same-padded bias-free convolution, kernel (angle, delay), and batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel, groups: int = 1):
        padding = tuple(size // 2 for size in kernel)
        conv = nn.Conv2d(
            inputs, outputs, kernel, padding=padding, groups=groups, bias=False
        )
        bn = nn.BatchNorm2d(outputs, eps=1e-5, momentum=0.1)
        super().__init__(OrderedDict(conv=conv, bn=bn))


class Autoencoder(nn.Module):
    """Encoder and decoder in series, Xavier-uniform weights.

    `zero_bias` asks for Keras' zero biases instead of PyTorch's random ones.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, zero_bias: bool = False):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(module.weight)
                if zero_bias:
                    nn.init.zeros_(module.bias)

    def forward(self, csi: torch.Tensor) -> torch.Tensor:
        """Reconstruct `csi`."""
        return self.decoder(self.encoder(csi))


class TwoPathEncoder(nn.Module):
    """CRNet's and CLNet's: 3x3 - 1x9 - 9x1 - attention beside path B, 1x1, FC."""

    def __init__(self, codeword_dim: int, path_b, channels_b: int, attention):
        super().__init__()
        self.path_a1 = ConvBN(2, 2, (3, 3))
        self.path_a2 = ConvBN(2, 2, (1, 9))
        self.path_a3 = ConvBN(2, 2, (9, 1))
        self.attention = attention
        self.path_b = path_b
        self.merge = ConvBN(2 + channels_b, 2, (1, 1))
        self.codeword = nn.Linear(FLAT, codeword_dim)

    def forward(self, csi: torch.Tensor) -> torch.Tensor:
        """Codeword of `csi`."""
        a = _leaky(self.path_a2(_leaky(self.path_a1(csi))))
        a = self.attention(self.path_a3(a))
        x = _leaky(torch.cat([a, self.path_b(csi)], dim=1))
        return self.codeword(_leaky(self.merge(x)).flatten(1))


class CRBlock(nn.Module):
    """3x3 - 1xk - kx1 beside 1x5 - 5x1, 1x1, plus input; k is 9 (CRNet), 3 (CLNet)."""

    def __init__(self, size: int):
        super().__init__()
        self.a1 = ConvBN(2, 7, (3, 3))
        self.a2 = ConvBN(7, 7, (1, size))
        self.a3 = ConvBN(7, 7, (size, 1))
        self.b1 = ConvBN(2, 7, (1, 5))
        self.b2 = ConvBN(7, 7, (5, 1))
        self.merge = ConvBN(14, 2, (1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine `x`."""
        a = self.a3(_leaky(self.a2(_leaky(self.a1(x)))))
        b = self.b2(_leaky(self.b1(x)))
        return _leaky(x + self.merge(_leaky(torch.cat([a, b], dim=1))))


def _cr_decoder(codeword_dim: int, size: int, output: nn.Module) -> nn.Sequential:
    return _named(
        expand=nn.Linear(codeword_dim, FLAT),
        unflatten=nn.Unflatten(1, CSI_SHAPE),
        head1=ConvBN(2, 2, (5, 5)),
        head1_activation=_leaky_layer(),
        block1=CRBlock(size),
        block2=CRBlock(size),
        output=output,
    )


def crnet(codeword_dim: int) -> Autoencoder:
    """CRNet (Lu, Wang, Song, ICC 2020)."""
    encoder = TwoPathEncoder(codeword_dim, ConvBN(2, 2, (3, 3)), 2, nn.Identity())
    return Autoencoder(encoder, _cr_decoder(codeword_dim, 9, nn.Sigmoid()))


class SpatialAttention(nn.Module):
    """Scale every position by a function of the maximum and mean over channels."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(1, eps=1e-5, momentum=0.01)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend to `x`."""
        pooled = [x.amax(1, keepdim=True), x.mean(1, keepdim=True)]
        return x * torch.sigmoid(self.bn(self.conv(torch.cat(pooled, dim=1))))


class SqueezeExcitation(nn.Module):
    """Scale every channel by a function of all channels' means."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden, bias=False)
        self.excite = nn.Linear(hidden, channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend to `x`."""
        hidden = torch.relu(self.squeeze(x.mean((2, 3))))
        return x * torch.sigmoid(self.excite(hidden))[:, :, None, None]


def clnet(codeword_dim: int) -> Autoencoder:
    """CLNet with both attentions (Ji, Li, IEEE WCL 2021); its FC are Xavier too."""
    path_b = _named(conv_bn=ConvBN(2, 32, (1, 1)), scale=SqueezeExcitation(32, 2))
    encoder = TwoPathEncoder(codeword_dim, path_b, 32, SpatialAttention())
    return Autoencoder(encoder, _cr_decoder(codeword_dim, 3, nn.Hardsigmoid()))


class Residual(nn.Module):
    """activation(x + body(x))."""

    def __init__(self, body: nn.Module, activation: nn.Module):
        super().__init__()
        self.body, self.activation = body, activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine `x`."""
        return self.activation(x + self.body(x))


def _keras_conv_bn(inputs: int, outputs: int) -> dict[str, nn.Module]:
    """3x3 with bias and batch norm as Keras has them; momentum 0.01 is Keras' 0.99."""
    bn = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)
    return {"conv": nn.Conv2d(inputs, outputs, 3, padding=1), "bn": bn}


def _refine_net() -> Residual:
    body = nn.Sequential()
    for i, (inputs, outputs) in enumerate([(2, 8), (8, 16), (16, 2)], start=1):
        body.add_module(f"{i}", _named(**_keras_conv_bn(inputs, outputs)))
        if i < 3:
            body.add_module(f"{i}_activation", _leaky_layer())
    return Residual(body, _leaky_layer())


def csinet(codeword_dim: int) -> Autoencoder:
    """CsiNet (Wen, Shih, Jin, WCL 2018), batch norm per channel."""
    encoder = _named(
        **_keras_conv_bn(2, 2),
        activation=_leaky_layer(),
        flatten=nn.Flatten(),
        codeword=nn.Linear(FLAT, codeword_dim),
    )
    decoder = _named(
        expand=nn.Linear(codeword_dim, FLAT),
        unflatten=nn.Unflatten(1, CSI_SHAPE),
        refine1=_refine_net(),
        refine2=_refine_net(),
        output_conv=nn.Conv2d(2, 2, 3, padding=1),
        output=nn.Sigmoid(),
    )
    return Autoencoder(encoder, decoder, zero_bias=True)


def _prelu(channels: int) -> nn.Module:
    return nn.PReLU(channels, init=SLOPE)


def _acr_block(width: int, **middle: nn.Module) -> Residual:
    """1x9 - middle - 9x1 of `width` channels within, plus the input."""
    body = _named(
        row=ConvBN(2, width, (1, 9)),
        row_activation=_prelu(width),
        **middle,
        column=ConvBN(width, 2, (9, 1)),
    )
    return Residual(body, _prelu(2))


def _acr_decoder_block(expansion: int) -> Residual:
    width = 8 * expansion
    grouped = ConvBN(width, width, (7, 7), groups=4 * expansion)
    return _acr_block(width, grouped=grouped, grouped_activation=_prelu(width))


def acrnet(codeword_dim: int, expansion: int = 1) -> Autoencoder:
    """ACRNet with aggregated decoder blocks; `expansion` is the paper's kappa."""
    encoder = _named(
        head=ConvBN(2, 2, (5, 5)),
        head_activation=_prelu(2),
        block1=_acr_block(2),
        block2=_acr_block(2),
        flatten=nn.Flatten(),
        codeword=nn.Linear(FLAT, codeword_dim),
    )
    decoder = _named(
        expand=nn.Linear(codeword_dim, FLAT),
        unflatten=nn.Unflatten(1, CSI_SHAPE),
        head=ConvBN(2, 2, (5, 5)),
        head_activation=_prelu(2),
        block1=_acr_decoder_block(expansion),
        block2=_acr_decoder_block(expansion),
        output=nn.Sigmoid(),
    )
    return Autoencoder(encoder, decoder)


NETWORKS = {"crnet": crnet, "clnet": clnet, "csinet": csinet, "acrnet": acrnet}
