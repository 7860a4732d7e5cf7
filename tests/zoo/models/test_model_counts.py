"""Counts of the layers and the figures that the papers print, to the digit."""

from __future__ import annotations

import functools
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

import pytest

from zoo import registry
from zoo.metrics import flops

# M: (UE params, BS params, UE MACs, BS MACs).
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
    "csinet-delay": {
        512: (1_049_190, 1_054_266, 1_085_440, 4_329_472),
        128: (262_374, 267_834, 299_008, 3_543_040),
        64: (131_238, 136_762, 167_936, 3_411_968),
        32: (65_670, 71_226, 102_400, 3_346_432),
    },
    "csinet-7x7": {512: (1_049_290, 1_068_226, 1_249_280, 18_911_232)},
    "csinet_plus": {
        512: (1_049_488, 1_072_444, 1_449_984, 23_121_920),
        256: (524_944, 548_156, 925_696, 22_597_632),
        128: (262_672, 286_012, 663_552, 22_335_488),
        64: (131_536, 154_940, 532_480, 22_204_416),
        32: (65_968, 89_404, 466_944, 22_138_880),
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
    "bcsinet": {
        512: (1_049_128, 1_053_936, 1_085_440, 4_329_472),
        256: (524_584, 529_648, 561_152, 3_805_184),
        128: (262_312, 267_504, 299_008, 3_543_040),
        64: (131_176, 136_432, 167_936, 3_411_968),
    },
    "bcsinet-B3": {
        512: (1_049_168, 1_055_572, 1_122_304, 5_951_488),
        256: (524_624, 531_284, 598_016, 5_427_200),
        128: (262_352, 269_140, 335_872, 5_165_056),
        64: (131_216, 138_068, 204_800, 5_033_984),
    },
    "cl_csinet": {
        512: (7_242, 10_658, 266_240, 3_510_272),
        256: (3_642, 7_074, 151_552, 3_395_584),
        128: (1_842, 5_282, 94_208, 3_338_240),
    },
    "cl_crnet": {
        512: (7_372, 10_250, 385_024, 3_098_624),
        256: (3_772, 6_666, 270_336, 2_983_936),
        128: (1_972, 4_874, 212_992, 2_926_592),
    },
    "cl_acrnet": {
        512: (7_474, 9_654, 479_232, 2_527_232),
        256: (3_874, 6_070, 364_544, 2_412_544),
        128: (2_074, 4_278, 307_200, 2_355_200),
    },
    "cllwcsinet": {
        512: (29_158, 41_110, 1_126_400, 5_615_616),
        256: (23_758, 42_998, 954_368, 5_672_960),
        128: (20_810, 21_798, 861_184, 4_999_168),
    },
    "transnet": {
        512: (1_330_240, 1_348_672, 19_136_512, 20_447_232),
        256: (805_696, 824_384, 18_612_224, 19_922_944),
        128: (543_424, 562_240, 18_350_080, 19_660_800),
        64: (412_288, 431_168, 18_219_008, 19_529_728),
        32: (346_720, 365_632, 18_153_472, 19_464_192),
    },
    "transnet-unshared": {512: (1_611_392, 1_646_592, 19_136_512, 20_447_232)},
}
# Table IV of CRNet at 1/4: total plain MACs per head.
HEAD_MACS = {
    "blank": 5_019_648,
    "3x3": 5_056_512,
    "dual3x3": 5_093_376,
    "5x5": 5_122_048,
    "7x7": 5_220_352,
}
# Rows that are not a network's default.
ARGS = {
    "csinet-delay": ("csinet", {"bn": "delay"}),
    "csinet-7x7": ("csinet", {"kernel": 7}),
    "acrnet-10x": ("acrnet", {"kappa": 10}),
    "acrnet-20x": ("acrnet", {"kappa": 20}),
    "bacrnet-10x": ("bacrnet", {"kappa": 10}),
    "bcsinet-B3": ("bcsinet", {"head": "B", "blocks": 3}),
    "transnet-unshared": ("transnet", {"shared": False}),
    **{f"crnet-{x}": ("crnet", {"head": x}) for x in HEAD_MACS},
    **{f"clnet-{x}": ("clnet", {"variant": x}) for x in ("1x1", "se", "cbam")},
}
# Ways to print a count. thop gives three decimals, which some tables round again.
ROUND, CUT, TWICE = "rounded", "truncated", "rounded twice"
RATES = (512, 256, 128, 64, 32)


def _row(text: str) -> dict[int, str]:
    return dict(zip(RATES, text.split(), strict=False))


# Key of the summary, way of printing, network, M: printed figure.
FIGURES = [
    # CRNet Tables I and IV; its CsiNet has the layout of BCsiNet-A2.
    ("total_thop_old", ROUND, "crnet", _row("7.66M 5.56M 4.51M 3.99M")),
    ("total_thop_old", CUT, "crnet", {32: "3.72M"}),
    ("total_thop_old", ROUND, "bcsinet", _row("7.80M 5.70M 4.65M 4.13M")),
    ("total_thop_old", TWICE, "bcsinet", {32: "3.87M"}),
    ("total_thop_old", CUT, "crnet-blank", {512: "7.54M"}),
    ("total_thop_old", ROUND, "crnet-3x3", {512: "7.59M"}),
    ("total_thop_old", ROUND, "crnet-dual3x3", {512: "7.64M"}),
    ("total_thop_old", ROUND, "crnet-7x7", {512: "7.76M"}),
    *(("total_macs", ROUND, f"crnet-{x}", {512: f"{HEAD_MACS[x]}"}) for x in HEAD_MACS),
    # README of CRNet (1/32; the other ratios as in CLNet's Table I)
    ("total_macs", CUT, "crnet", {64: "3.28M"}),
    # CLNet Tables I, II and III, README, logs
    ("total_clnet_paper", CUT, "clnet", _row("4.05M 3.01M 2.48M 2.22M 2.09M")),
    ("total_macs", ROUND, "crnet", _row("5.12M 4.07M 3.55M 3.29M 3.16M")),
    ("total_macs", ROUND, "csinet", _row("5.41M 4.37M 3.84M 3.58M 3.45M")),
    ("total_macs", ROUND, "csinet_plus", _row("24.57M 23.52M 23.00M 22.74M 22.61M")),
    ("total_macs", ROUND, "clnet-1x1", {512: "4007936"}),
    ("total_macs", ROUND, "clnet-se", {512: "4008064"}),
    ("total_macs", ROUND, "clnet-cbam", {512: "4026368"}),
    ("ue_clnet_paper", CUT, "clnet", {512: "1.34M", 32: "0.36M"}),
    ("bs_clnet_paper", CUT, "clnet", {512: "2.71M", 32: "1.73M"}),
    ("ue_macs", ROUND, "crnet", {512: "1.20M", 32: "0.22M"}),
    ("bs_macs", TWICE, "crnet", {512: "3.92M", 32: "2.94M"}),
    ("ue_params_without_bn", ROUND, "clnet", {512: "1.049M", 32: "65.954K"}),
    ("bs_params_without_bn", ROUND, "clnet", {512: "1.052M", 32: "69.210K"}),
    ("ue_params_without_bn", ROUND, "crnet", {512: "1.049M", 32: "65.720K"}),
    ("bs_params_without_bn", ROUND, "crnet", {512: "1.053M", 32: "70.386K"}),
    ("total_thop_new", TWICE, "clnet", _row("4.42M 3.37M 2.85M 2.58M 2.45M")),
    ("total_thop_new", ROUND, "crnet", {512: "5.386M"}),
    # CLLWCsiNet; the 6.63M that is printed at 1/16 belongs to 1/8.
    ("total_params", CUT, "cllwcsinet", _row("70.26K 66.7K 42.6K")),
    ("total_macs", ROUND, "cllwcsinet", {256: "6.63M"}),
    # CLLWCsiNet's Tables I and III
    ("ue_thop_new", ROUND, "csinet", {512: "1094K"}),
    ("ue_thop_new", ROUND, "crnet", {512: "1235K"}),
    ("ue_thop_new", ROUND, "csinet_plus", {512: "1462K"}),
    ("ue_params", ROUND, "crnet", {512: "1049K"}),
    ("ue_params", ROUND, "acrnet", {512: "1049K"}),
    ("ue_params", ROUND, "csinet_plus", {512: "1049K"}),
    ("total_params", ROUND, "csinet", _row("2103K 1054K 530K")),
    ("total_params", ROUND, "crnet", _row("2103K 1054K 530K")),
    ("total_params", ROUND, "acrnet", _row("2102K 1054K 529K")),
    ("total_macs", ROUND, "acrnet", _row("4.64M 3.6M 3.07M")),
    ("total_params", CUT, "cl_csinet", _row("17.9K 10.71K 7.12K")),
    ("total_params", CUT, "cl_crnet", _row("17.62K 10.43K 6.84K")),
    ("total_params", CUT, "cl_acrnet", {256: "9.94K", 128: "6.35K"}),
    ("total_thop_last", CUT, "cl_csinet", _row("4.00M 3.7M 3.66M")),
    ("total_thop_last", CUT, "cl_crnet", {512: "3.72M", 128: "3.38M"}),
    ("total_thop_last", ROUND, "cl_crnet", {256: "3.5M"}),
    ("total_thop_last", CUT, "cl_acrnet", _row("3.16M 2.93M 2.81M")),
    ("total_thop_last", CUT, "cllwcsinet", {512: "7.26M", 256: "7.15M"}),
    ("total_thop_new", ROUND, "csinet", {512: "5.6M"}),
    ("total_params_without_fc", ROUND, "csinet", {512: "3404"}),
    # Parameters of QACRNet: ACRNet without FC layers
    ("total_params_without_fc", ROUND, "acrnet", {512: "2632"}),
    ("total_params_without_fc", ROUND, "acrnet-10x", {512: "22792"}),
    # README of FISTA-Net; multiple rates
    ("ue_macc_bias", ROUND, "csinet_plus", {512: "1.45M"}),
    ("bs_macc_bias", ROUND, "csinet_plus", {512: "23.26M"}),
    ("ue_params", ROUND, "csinet_plus_sm", {64: "1.22M"}),
    # One-bit weights as float equivalents
    ("ue_params_float_equivalent", ROUND, "bcsinet", _row("33320 16680 8360 4K")),
    ("total_params_float_equivalent", ROUND, "bacrnet", _row("70728 37704 21192")),
    ("total_params_float_equivalent", ROUND, "bacrnet-10x", _row("90888 57864 41352")),
    # TransNet
    ("total_functional_blind", ROUND, "transnet", {512: "35651584"}),
]


@functools.cache
def summary_of(row: str, codeword_dim: int) -> dict[str, int]:
    """Counts of a network of the tables, built once."""
    name, args = ARGS.get(row, (row, {}))
    return flops.summary(registry.build(name, (32, 32, 2), codeword_dim, args))


def _case(row: str, codeword_dim: int, *values):
    """A test; slow at ratios between a row's first and last, which differ in M only."""
    slow = min(COUNTS.get(row, RATES)) < codeword_dim < 512
    marks = [pytest.mark.golden, *([pytest.mark.slow] if slow else [])]
    name = "-".join([row, str(codeword_dim), *values[::2]])
    return pytest.param(row, codeword_dim, *values, marks=marks, id=name)


def printed(count: int, text: str, how: str) -> str:
    """A count printed with the unit and the decimals of a text."""
    unit = text[-1] if text[-1] in "MK" else ""
    step = Decimal(1).scaleb(-len(text.rstrip(unit).partition(".")[2]))
    value = Decimal(count).scaleb(-{"M": 6, "K": 3, "": 0}[unit])
    if how == TWICE:
        value = value.quantize(Decimal("0.001"), ROUND_HALF_UP)
    return f"{value.quantize(step, ROUND_DOWN if how == CUT else ROUND_HALF_UP)}{unit}"


KEYS = ("ue_params", "bs_params", "ue_macs", "bs_macs")


@pytest.mark.parametrize(
    ("row", "codeword_dim"), [_case(row, m) for row in COUNTS for m in COUNTS[row]]
)
def test_counts(row, codeword_dim):
    summary = summary_of(row, codeword_dim)
    assert tuple(summary[key] for key in KEYS) == COUNTS[row][codeword_dim]


@pytest.mark.parametrize(
    ("row", "codeword_dim", "key", "how", "text"),
    [_case(row, m, key, how, text[m]) for key, how, row, text in FIGURES for m in text],
)
def test_published_figure(row, codeword_dim, key, how, text):
    assert printed(summary_of(row, codeword_dim)[key], text, how) == text
