"""Parameter and MAC counts of SPECS.md section 8, to the digit."""

from __future__ import annotations

import pytest

from zoo import complexity, registry

# M: (UE params, BS params, UE MACs, BS MACs), SPECS.md section 8.
COUNTS = {
    "crnet": {
        512: (1_049_260, 1_053_578, 1_204_224, 3_917_824),
        256: (524_716, 529_290, 679_936, 3_393_536),
        128: (262_444, 267_146, 417_792, 3_131_392),
        64: (131_308, 136_074, 286_720, 3_000_320),
        32: (65_740, 70_538, 221_184, 2_934_784),
    },
    "csinet": {
        512: (1_049_130, 1_053_986, 1_085_440, 4_329_472),
        256: (524_586, 529_698, 561_152, 3_805_184),
        128: (262_314, 267_554, 299_008, 3_543_040),
        64: (131_178, 136_482, 167_936, 3_411_968),
        32: (65_610, 70_946, 102_400, 3_346_432),
    },
    "clnet": {
        512: (1_049_556, 1_052_402, 1_312_896, 2_713_600),
        256: (525_012, 528_114, 788_608, 2_189_312),
        128: (262_740, 265_970, 526_464, 1_927_168),
        64: (131_604, 134_898, 395_392, 1_796_096),
        32: (66_036, 69_362, 329_856, 1_730_560),
    },
    "acrnet": {
        512: (1_049_362, 1_052_982, 1_298_432, 3_346_432),
        256: (524_818, 528_694, 774_144, 2_822_144),
        128: (262_546, 266_550, 512_000, 2_560_000),
        64: (131_410, 135_478, 380_928, 2_428_928),
        32: (65_842, 69_942, 315_392, 2_363_392),
    },
    "acrnet-10x": {
        512: (1_049_362, 1_073_142, 1_298_432, 23_105_536),
        256: (524_818, 548_854, 774_144, 22_581_248),
        128: (262_546, 286_710, 512_000, 22_319_104),
        64: (131_410, 155_638, 380_928, 22_188_032),
        32: (65_842, 90_102, 315_392, 22_122_496),
    },
    "acrnet-20x": {
        512: (1_049_362, 1_095_542, 1_298_432, 45_060_096),
        256: (524_818, 571_254, 774_144, 44_535_808),
        128: (262_546, 309_110, 512_000, 44_273_664),
        64: (131_410, 178_038, 380_928, 44_142_592),
        32: (65_842, 112_502, 315_392, 44_077_056),
    },
}
# Rows above that are not a network's default.
ARGS = {
    "acrnet-10x": ("acrnet", {"kappa": 10}),
    "acrnet-20x": ("acrnet", {"kappa": 20}),
}
# Table IV of CRNet at 1/4: total plain MACs per head.
HEAD_MACS = {
    "blank": 5_019_648,
    "3x3": 5_056_512,
    "dual3x3": 5_093_376,
    "5x5": 5_122_048,
    "7x7": 5_220_352,
}
# Table II of CLNet at 1/4: total plain MACs per ablation (SPECS.md 4.2).
VARIANT_MACS = {
    "1x1": 4_007_936,
    "se": 4_008_064,
    "cbam": 4_026_368,
    "full": 4_026_496,
}
# CsiNet with the authors' batch norm over delay.
DELAY_BN = {512: (1_049_190, 1_054_266), 32: (65_670, 71_226)}
# The ratios differ in nothing but M: the default run builds the largest and smallest.
RATIOS = [
    512,
    *(pytest.param(m, marks=pytest.mark.slow) for m in (256, 128, 64)),
    32,
]


def _summary(name, codeword_dim, **args):
    return complexity.summary(registry.build(name, (32, 32, 2), codeword_dim, args))


def _counts(name, codeword_dim, **args):
    s = _summary(name, codeword_dim, **args)
    return s["ue_params"], s["bs_params"], s["ue_macs"], s["bs_macs"]


@pytest.mark.golden
@pytest.mark.parametrize("row", COUNTS)
@pytest.mark.parametrize("codeword_dim", RATIOS)
def test_published_counts(row, codeword_dim):
    name, args = ARGS.get(row, (row, {}))
    assert _counts(name, codeword_dim, **args) == COUNTS[row][codeword_dim]


@pytest.mark.golden
@pytest.mark.parametrize("head", HEAD_MACS)
def test_crnet_head_macs(head):
    counts = _counts("crnet", 512, head=head)
    assert counts[2] + counts[3] == HEAD_MACS[head]


@pytest.mark.golden
@pytest.mark.parametrize("variant", VARIANT_MACS)
def test_clnet_variant_macs(variant):
    counts = _counts("clnet", 512, variant=variant)
    assert counts[2] + counts[3] == VARIANT_MACS[variant]


@pytest.mark.golden
@pytest.mark.parametrize("codeword_dim", DELAY_BN)
def test_csinet_delay_batch_norm_counts(codeword_dim):
    assert _counts("csinet", codeword_dim, bn="delay")[:2] == DELAY_BN[codeword_dim]


def test_bytes_per_side():
    """Kernels at one byte and the rest, PReLU slopes included, at four."""
    s = _summary("acrnet", 32)
    fc, bias, convs, bn, slopes = 2048 * 32, 32, 50 * 2 + 2 * 36 * 2, 5 * 8, 5 * 2
    rest = bias + bn + slopes
    assert s["ue_bytes_fp32"] == 4 * (fc + convs + rest)
    assert s["ue_bytes_int8"] == fc + convs + 4 * rest
