"""CLLWCsiNet as its authors publish it: state dicts made up for tests, and in NumPy."""

from __future__ import annotations

import numpy as np

CHAIN = ("first_conv1x7", "second_Conv1x7", "third_Conv1x7")
# Public modules, by codeword channels k: name, (outputs, inputs, height, width).
NARROW = {
    "encoder_p1": ("first_conv1x7", "second_conv1x7"),
    "encoder_p2": ("conv1x3", "conv3x1"),
    "encoder_p3": ("conv1x3", "conv3x1"),
    "encoder_compression.conv": CHAIN,
    "decoder_get_feedback_in_UE": ("first_conv1x7", "conv1x7", "second_conv1x7"),
    "remove_AGN": ("conv_1x7", "conv_7x1", "conv_3x3"),
    "conv": CHAIN,
    "conv_1": CHAIN,
    "_last_cov": ("firstcov2",),
}
WIDE = NARROW | {
    "encoder_p1": ("conv1x7", "conv7x1"),
    "encoder_p2": ("conv1x5", "conv5x1"),
    "encoder_compression.conv": ("conv1", "conv2"),
    "decoder_get_feedback_in_UE": ("conv1", "conv2"),
    "remove_AGN": ("conv1", "conv2"),
    "conv": ("first_conv1x7", "second_conv1x7", "third_conv1x7"),
    "conv_1": ("first_conv1x5", "second_conv1x5", "third_conv1x5"),
    "_last_cov": ("last_conv",),
}
BRANCH = {16: (32, 64), 8: (16, 32, 64), 4: (8, 16, 64)}


def _convolutions(k: int) -> dict[str, tuple[int, int, int, int]]:
    """Convolution to the shape of its kernel, in the order of the public module."""
    names, found = WIDE if k == 16 else NARROW, {}

    def chain(module: str, *shapes, of: str = "") -> None:
        for name, shape in zip(names[of or module], shapes, strict=True):
            found[f"{module}.{name}"] = shape

    for i, length in enumerate((7, 5, 3), start=1):
        chain(f"encoder_p{i}", (2, 2, 1, length), (2, 2, length, 1))
    found["con1x1"] = (2, 6, 1, 7)
    deep = [(32, 64, 1, 7), (16, 32, 1, 7), (k, 16, 1, 7)]
    chain("encoder_compression.conv", *(deep[:2] if k == 16 else deep))
    found["encoder_compression.conv_2"] = (k, 64, 1, 7)
    found["encoder_compression.conv_3"] = (k, 2 * k, 1, 7)
    for module in ("decoder_get_feedback_in_UE", "remove_AGN"):
        inputs = (k, *BRANCH[k])
        chain(module, *((o, i, 1, 7) for i, o in zip(inputs, BRANCH[k], strict=False)))
    for block in ("decoder_refine_net.0", "decoder_refine_net.1"):
        for path, length in (("conv", 7), ("conv_1", 5)):
            shapes = [(8, 2, 1, length), (16, 8, 1, length), (2, 16, 1, length)]
            chain(f"{block}.{path}", *shapes, of=path)
        found[f"{block}.conv1x1"] = (2, 4, 1, 7)
    chain("_last_cov", (2, 2, 1, 7))
    return found


def state_dict(k: int, noise_free: bool, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights; `noise_free`: the noise branch never saw a batch."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in _convolutions(k).items():
        outputs = shape[0]
        values = {
            "conv.weight": rng.normal(0, 0.6 / np.sqrt(np.prod(shape[1:])), shape),
            "conv.bias": rng.normal(0, 0.2, outputs),
            "bn.weight": rng.uniform(0.7, 1.3, outputs),
            "bn.bias": rng.normal(0, 0.3, outputs),
            "bn.running_mean": rng.normal(0, 0.2, outputs),
            "bn.running_var": rng.uniform(0.3, 1.0, outputs),
        }
        if noise_free and name.startswith("remove_AGN"):
            ones, zeros = np.ones(outputs), np.zeros(outputs)
            values |= {"bn.weight": ones, "bn.running_var": ones}
            values |= {"bn.bias": zeros, "bn.running_mean": zeros}
        found |= {f"{name}.{kind}": v.astype("f4") for kind, v in values.items()}
        found[f"{name}.bn.num_batches_tracked"] = np.array(5.0)
    return found


def forward(state, k: int, csi: np.ndarray, noise_branch: str):
    """Codeword `[n, k, 32]` and recovered CSI of CSI `[n, 32, 32, 2]`, in float64.

    Args:
        state: as `state_dict`.
        k: codeword channels.
        csi: in [0, 1].
        noise_branch: 'trained': as the public code has it; 'none': without it.
    """
    names = WIDE if k == 16 else NARROW

    def conv(x, name):
        return _conv_bn(state, x, name)

    def chain(module, x, last=True, of=""):
        *first, final = names[of or module]
        for name in first:
            x = _leaky(conv(x, f"{module}.{name}"))
        x = conv(x, f"{module}.{final}")
        return _leaky(x) if last else x

    x = csi.astype(float).transpose(0, 3, 1, 2)
    paths = [chain(f"encoder_p{i}", x, last=i == 1 and k == 16) for i in (1, 2, 3)]
    x = _leaky(conv(np.concatenate(paths, 1), "con1x1")).reshape(-1, 64, 1, 32)
    deep = chain("encoder_compression.conv", x, last=k == 16)
    both = np.concatenate([deep, conv(x, "encoder_compression.conv_2")], 1)
    codeword = _leaky(conv(_leaky(both), "encoder_compression.conv_3"))
    x = chain("decoder_get_feedback_in_UE", codeword, last=k == 16)
    if noise_branch == "trained":
        x = _leaky(x - _noise(conv, names["remove_AGN"], codeword, k))
    elif k != 16:
        x = _leaky(x)
    x = x.reshape(-1, 2, 32, 32)
    for block in ("decoder_refine_net.0", "decoder_refine_net.1"):
        paths = [chain(f"{block}.{p}", x, False, of=p) for p in ("conv", "conv_1")]
        x = _leaky(x + conv(_leaky(np.concatenate(paths, 1)), f"{block}.conv1x1"))
    x = conv(x, f"_last_cov.{names['_last_cov'][0]}")
    return codeword[:, :, 0], (1 / (1 + np.exp(-x))).transpose(0, 2, 3, 1)


def _noise(conv, names, x, k: int):
    """G; at 1/8 and 1/16 the public code has no activation before its last layer."""
    for i, name in enumerate(names):
        x = conv(x, f"remove_AGN.{name}")
        x = _leaky(x) if i == 0 or k == 16 else x
    return x


def _leaky(x):
    return np.where(x > 0, x, 0.3 * x)


def _conv_bn(state, x: np.ndarray, name: str) -> np.ndarray:
    """Convolution `[n, channels, height, width]` and batch norm in inference."""
    kernel = state[f"{name}.conv.weight"].astype(float)
    rows, columns = kernel.shape[2:]
    sides = [(0, 0), (0, 0), (rows // 2,) * 2, (columns // 2,) * 2]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(x, sides), (rows, columns), axis=(2, 3)
    )
    y = np.einsum("nchwij,ocij->nohw", windows, kernel, optimize=True)
    each = {kind: state[f"{name}.{kind}"].astype(float)[:, None, None] for kind in BN}
    y = (y + each["conv.bias"] - each["bn.running_mean"]) * each["bn.weight"]
    return y / np.sqrt(each["bn.running_var"] + 1e-3) + each["bn.bias"]


BN = ("conv.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
