"""Counting rules, layer by layer, and the commands that print the counts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.conftest import run_command
from tests.zoo.models.test_model_counts import COUNTS, CUT, ROUND, printed, summary_of
from zoo import registry
from zoo.keras_compat import Model, keras, layers, leaky_relu
from zoo.layers.activations import prelu
from zoo.layers.binary import BinaryDense
from zoo.layers.grouped_conv import GroupedConv2D
from zoo.metrics import complexity, flops
from zoo.models.autoencoder import connect
from zoo.reporting import network_list as command


def _model(layer, shape) -> Model:
    x = keras.Input(shape)
    return Model(x, layer(x))


# Linear layers that pad nothing: every MAC is one non-zero entry of their matrix.
LINEAR = {
    "dense": (lambda: layers.Dense(3), (7,)),
    "dense on tokens": (lambda: layers.Dense(3), (4, 5)),
    "conv1d": (lambda: layers.Conv1D(4, 3, strides=2), (9, 2)),
    "conv2d": (lambda: layers.Conv2D(3, (3, 2)), (5, 4, 2)),
    "strided conv2d": (lambda: layers.Conv2D(3, (3, 2), strides=2), (5, 4, 2)),
    "conv2d in groups": (lambda: layers.Conv2D(4, 2, groups=2), (4, 3, 6)),
    "conv3d": (lambda: layers.Conv3D(2, (1, 2, 3)), (2, 3, 4, 2)),
    "transposed": (lambda: layers.Conv2DTranspose(3, 3), (4, 3, 2)),
    "strided transposed": (lambda: layers.Conv2DTranspose(3, 2, strides=2), (3, 4, 2)),
    "depthwise": (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2), (4, 5, 3)),
    "binary": (lambda: BinaryDense(3), (7,)),
}


@pytest.mark.parametrize("kind", LINEAR)
def test_macs_are_the_entries_of_the_matrix(kind):
    make, shape = LINEAR[kind]
    model = _model(make(), shape)
    size = int(np.prod(shape))
    rows = np.asarray(model(np.eye(size, dtype=np.float32).reshape(size, *shape)))
    rows = rows - np.asarray(model(np.zeros((1, *shape), np.float32)))  # its bias
    assert complexity.count_macs(model) == np.count_nonzero(rows) > 0


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (layers.Conv2D(3, 3, padding="same"), (4, 5, 2), 4 * 5 * 9 * 2 * 3),
        (GroupedConv2D(6, (3, 3), groups=2), (4, 5, 4), 4 * 5 * 9 * 2 * 6),
        (layers.SeparableConv2D(5, 3, padding="same"), (4, 6, 3), 24 * 3 * (9 + 5)),
        (layers.LSTM(4), (6, 3), 6 * 4 * 4 * (3 + 4)),
        (layers.LSTM(4, return_sequences=True), (6, 3), 6 * 4 * 4 * (3 + 4)),
        (layers.ConvLSTM2D(2, 3, padding="same"), (3, 4, 5, 1), 60 * 9 * 4 * 2 * 3),
        (prelu("slopes"), (4, 5, 2), 0),
        (layers.BatchNormalization(), (4, 5, 2), 0),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "call") else None,
)
def test_macs(layer, shape, macs):
    assert complexity.count_macs(_model(layer, shape)) == macs


@pytest.mark.parametrize("trainable", [True, False])
def test_unknown_matrices_are_refused(trainable):
    layer = layers.EinsumDense("ab,bc->ac", output_shape=3, trainable=trainable)
    with pytest.raises(ValueError, match="EinsumDense.*`macs"):
        complexity.count_macs(_model(layer, (5,)))


def _tiny(first=None, receiver=None):
    """Encoder 4 x 4 x 2 to M = 5, decoder back; every kind of term occurs."""
    x = csi = keras.Input((4, 4, 2))
    x = leaky_relu(0.3)(layers.BatchNormalization()(layers.Conv2D(3, 2)(x)))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    z = (first or layers.Dense(5))(x)
    y = codeword = keras.Input((5,))
    y = layers.Reshape((4, 4, 2))(layers.Dense(32, use_bias=False)(y))
    y = layers.Conv2D(2, (1, 3), padding="same", use_bias=False)(y)
    y = layers.Activation("sigmoid")(prelu("p")(layers.BatchNormalization()(y)))
    return connect(Model(csi, z), Model(codeword, y), (), receiver)


def test_terms_of_every_convention():
    s = flops.summary(_tiny())
    conv, fc, image = 9 * 4 * 2 * 3, 3 * 5, 9 * 3
    assert s["ue_macs"] == conv + fc
    assert s["ue_thop_old"] == conv + 2 * fc + 4 * image + image
    assert s["ue_thop_new"] == conv + fc + 2 * image + image + image + image
    assert s["ue_thop_last"] == s["ue_thop_new"]
    assert s["ue_clnet_paper"] == conv + fc + image
    assert s["ue_macc_bias"] == conv + fc + image + 5
    assert s["ue_params"] == 27 + 2 * 3 + 20
    assert s["ue_params_without_bn"] == 27 + 20
    assert s["ue_params_without_fc"] == 27 + 2 * 3
    conv, fc, image = 16 * 3 * 2 * 2, 5 * 32, 32
    assert s["bs_macs"] == s["bs_functional_blind"] == s["bs_clnet_paper"] == conv + fc
    assert s["bs_thop_old"] == conv + 2 * fc + 4 * image + image
    assert s["bs_thop_new"] == conv + fc + 2 * image + image
    assert s["bs_macc_bias"] == conv + fc + image
    assert s["bs_params"] == s["bs_params_without_fc"] + fc == 12 + 2 * 2 + 2 + fc
    for key in [key.removeprefix("ue_") for key in s if key.startswith("ue_")]:
        assert s[f"total_{key}"] == s[f"ue_{key}"] + s[f"bs_{key}"]


def test_receiver_counts_at_the_bs():
    codeword = keras.Input((5,))
    receiver = Model(codeword, layers.Dense(5)(codeword))
    plain, repaired = flops.summary(_tiny()), flops.summary(_tiny(receiver=receiver))
    assert repaired["bs_params"] == plain["bs_params"] + 30
    assert repaired["bs_thop_old"] == plain["bs_thop_old"] + 2 * 25
    assert repaired["ue_params"] == plain["ue_params"]


def test_frozen_weights_cost_macs_and_bytes():
    plain = complexity.summary(_tiny())
    frozen = complexity.summary(_tiny(layers.Dense(5, trainable=False)))
    assert frozen["ue_params"] == plain["ue_params"] - 20
    changed = ("ue_params", "ue_params_float_equivalent")
    assert all(frozen[key] == plain[key] for key in plain if key not in changed)


def test_one_bit_weights():
    """15 one-bit weights fill two bytes and less than one float."""
    plain, binary = (complexity.summary(_tiny(f)) for f in (None, BinaryDense(5)))
    assert binary["ue_params"] == plain["ue_params"] == 53
    assert binary["ue_params_float_equivalent"] == 53 - 15 + 1
    assert binary["ue_bytes_fp32"] == plain["ue_bytes_fp32"] - 4 * 15 + 2
    assert binary["ue_bytes_int8"] == plain["ue_bytes_int8"] - 15 + 2


def test_bytes_per_side():
    """Kernels at one byte and the rest, PReLU slopes included, at four."""
    s = summary_of("acrnet", 32)
    fc, bias, convs, bn, slopes = 2048 * 32, 32, 50 * 2 + 2 * 36 * 2, 5 * 8, 5 * 2
    rest = bias + bn + slopes
    assert s["ue_bytes_fp32"] == 4 * (fc + convs + rest)
    assert s["ue_bytes_int8"] == fc + convs + 4 * rest


def test_a_module_that_is_called_twice_counts_at_its_last_call():
    """CRNet's block: 14 channels after the concatenation, 2 after the sum."""
    cllwcsinet, crnet = (summary_of(name, 512) for name in ("cllwcsinet", "cl_crnet"))
    image, slots = 32 * 32, 32  # values of a channel
    assert crnet["bs_thop_new"] - crnet["bs_thop_last"] == 2 * 14 * image
    assert crnet["ue_thop_new"] == crnet["ue_thop_last"]
    at_ue = 2 * image + (16 + 16) * slots  # the merge, then both paths
    assert cllwcsinet["ue_thop_new"] - cllwcsinet["ue_thop_last"] == at_ue
    assert cllwcsinet["bs_thop_new"] - cllwcsinet["bs_thop_last"] == 2 * 4 * image


@pytest.mark.golden
@pytest.mark.parametrize(
    ("codeword_dim", "encoder", "decoder"),
    [(512, 1_048_772, 1_069_936), (32, 65_732, 86_896)],
)
def test_csinet_plus_counts_of_lora(codeword_dim, encoder, decoder):
    """LORA's Table IV: kernels only, and one 7x7 convolution less per side."""
    s = summary_of("csinet_plus", codeword_dim)
    for side, published in (("ue", encoder), ("bs", decoder)):
        kernels = (s[f"{side}_bytes_fp32"] - s[f"{side}_bytes_int8"]) // 3
        assert kernels - 7 * 7 * 2 * 2 == published


@pytest.mark.golden
def test_csinet_plus_multiple_rates():
    """Parameters that one encoder of all rates saves at the UE."""
    four = sum(COUNTS["csinet_plus"][m][0] for m in (512, 256, 128, 64))
    serial = summary_of("csinet_plus_sm", 64)["ue_params"]
    parallel = summary_of("csinet_plus_pm", 512)["ue_params"]
    assert printed(four, "1.97M", ROUND) == "1.97M"
    assert round(100 * (1 - serial / four), 1) == 37.9
    assert round(100 * (1 - parallel / four), 1) == 46.7


@pytest.mark.golden
def test_csinet_without_fc_layers():
    """CLLWCsiNet, section III: 5.6M operations become 3.5M."""
    count = summary_of("csinet", 512)["total_thop_new"] - 2 * 2048 * 512
    assert printed(count, "3.5M", CUT) == "3.5M"


def test_fixed_matrix_of_cs_csinet():
    csinet, s = COUNTS["csinet"][32], summary_of("cs_csinet", 32)
    assert (s["ue_params"], s["ue_macs"]) == (0, 2048 * 32)
    assert (s["bs_params"], s["bs_macs"]) == (csinet[1], csinet[3])


def test_summary_for_people():
    value = command.summary("crnet", 32, '{"head": "3x3"}')
    title, heads, *lines = command.render(value).splitlines()
    assert title == "crnet, CSI 32 x 32 x 2, M = 32, head='3x3'"
    assert heads.split() == ["UE", "BS", "total"]
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert rows["params"] == ["65,740", "70,474", "136,214"]
    assert len({len(line) for line in [heads, *lines]}) == 1
    assert {f"total_{key}" for key in rows} == {k for k in value if k[:5] == "total"}


def test_list_for_people():
    first, second, third = command.render(command.list_models("crnet")).splitlines()
    assert first.split() == "crnet M 512 256 128 64 32; head='5x5', slope=0.3".split()
    assert "ICC 2020" in second and "(MIT)" in second
    assert third.split()[:3] == ["weights:", "crnet_indoor_4,", "crnet_indoor_16,"]


def test_commands_print_json():
    done = run_command("zoo", "list", "--format=json")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) >= {*registry.MODELS, "dnnnet", "lasso", "fista", "tval3", "klt"}
    assert rows["crnet"]["options"] == {"head": "5x5", "slope": 0.3}
    assert rows["crnet"]["codeword_dims"] == [512, 256, 128, 64, 32]
    value = command.summary("crnet")
    assert value["codeword_dim"] == 512
    assert json.loads(json.dumps(value))["total_thop_old"] == 7_659_520
    variants = json.loads(json.dumps(command.info("crnet")))["variants"]
    assert variants["7x7"]["model_args"] == {"head": "7x7"}
