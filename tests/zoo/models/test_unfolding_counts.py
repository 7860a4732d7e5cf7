"""Counts of the model-driven networks."""

from __future__ import annotations

import pytest

from zoo import registry
from zoo.metrics import flops

N = 2048
UNUSED_BIASES = 20 * 81  # created in FISTA-Net's public code, connected to nothing
SHRINKAGE_MACS = 20 * 2 * 16 * 4  # FC layers of its thresholds, not counted there
# (network, M): (UE params, BS params, UE MACs, BS MACs)
COUNTS = {
    ("lora", 512): (1_048_576, 4_194_308, 1_048_576, 24_117_248),
    ("lora", 256): (524_288, 4_194_308, 524_288, 20_447_232),
    ("lora", 128): (262_144, 4_194_308, 262_144, 18_612_224),
    ("lora", 64): (131_072, 4_194_308, 131_072, 17_694_720),
    ("lora", 32): (65_536, 4_194_308, 65_536, 17_235_968),
    ("tilista_joint", 512): (1_048_576, 11_468_820, 1_048_576, None),
    ("tilista_joint", 32): (65_536, 10_485_780, 65_536, None),
    ("fista_net", 512): (
        1_048_576,
        36_780 - UNUSED_BIASES,
        1_048_576,
        74_711_040 - N * 512 + SHRINKAGE_MACS,  # A x_0 = 0 is not computed
    ),
    ("fista_net", 32): (
        65_536,
        36_780 - UNUSED_BIASES,
        65_536,
        35_389_440 - N * 32 + SHRINKAGE_MACS,
    ),
}
KEYS = ("ue_params", "bs_params", "ue_macs", "bs_macs")


@pytest.mark.parametrize(("network", "expected"), COUNTS.items())
def test_counts(network, expected):
    name, codeword_dim = network
    counts = flops.summary(registry.build(name, codeword_dim=codeword_dim))
    for key, value in zip(KEYS, expected, strict=True):
        assert value in (None, counts[key]), (key, counts[key])
    assert counts["bs_bytes_fp32"] - 4 * counts["bs_params"] >= 4 * N * codeword_dim


def test_printed_decoder_of_lora_repeats_the_mlp():
    """Table IV counts W1 and W2 once per block although all share them."""
    counts = flops.summary(registry.build("lora"))
    assert 4 * (counts["bs_params"] - 4) + 4 == 16_777_220
