"""Where the tensors of the published PyTorch networks go.

Keys are the state dict's, in the order in which the public module registers them (the
order of the file). Names and order were read in the modules of Kylin9511/CRNet,
SIJIEJI/CLNet, Kylin9511/ACRNet, Kylin9511/BCsiNet, Treedy2020/TransNet and
FardadAnsari/CLLWCsiNet (`zoo.importing.cllwcsinet_map`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.importing import cllwcsinet_map
from zoo.importing.public_network import (
    CODEWORD,
    EXPAND,
    Places,
    PublicNetwork,
    conv_bn,
    conv_bns,
    linear,
    module,
)


def _two_paths(prefix: str) -> Places:
    """Convolutions of CRNet's and CLNet's encoder."""
    names = {
        "path_a1": f"{prefix}encoder1.conv3x3_bn",
        "path_a2": f"{prefix}encoder1.conv1x9_bn",
        "path_a3": f"{prefix}encoder1.conv9x1_bn",
        "path_b": f"{prefix}encoder2",
        "merge": f"{prefix}encoder_conv.conv1x1_bn",
    }
    return conv_bns("encoder", names)


def _cr_features(prefix: str, size: int) -> Places:
    """Head and blocks of CRNet's (size 9) and CLNet's (3) decoder."""
    names = {"head1": f"{prefix}.conv5x5_bn"}
    for i in (1, 2):
        block = f"{prefix}.CRBlock{i}"
        names |= {
            f"block{i}_a1": f"{block}.path1.conv3x3",
            f"block{i}_a2": f"{block}.path1.conv1x{size}",
            f"block{i}_a3": f"{block}.path1.conv{size}x1",
            f"block{i}_b1": f"{block}.path2.conv1x5",
            f"block{i}_b2": f"{block}.path2.conv5x1",
            f"block{i}_merge": f"{block}.conv1x1",
        }
    return conv_bns("decoder", names)


def _crnet(args: dict[str, Any]) -> Places:
    return {
        **_two_paths(""),
        **linear(CODEWORD, "encoder_fc"),
        **linear(EXPAND, "decoder_fc"),
        **_cr_features("decoder_feature", 9),
    }


def _clnet(args: dict[str, Any]) -> Places:
    """The attentions are registered behind the convolutions that follow them."""
    return {
        **_two_paths("encoder."),
        **conv_bn("encoder/spatial", "encoder.sa.spatial"),
        **module("encoder/se_squeeze", "encoder.se.fc.0", "weight"),
        **module("encoder/se_excite", "encoder.se.fc.2", "weight"),
        **linear(CODEWORD, "encoder.replace_efc"),
        **linear(EXPAND, "decoder.replace_dfc"),
        **_cr_features("decoder.decoder_feature", 3),
    }


def _acr_block(ours: str, theirs: str, conv: str, prelus: list[str]) -> Places:
    """Block whose n-th convolution `conv` is followed by its n-th PReLU."""
    places: Places = {}
    for i, prelu in enumerate(prelus, start=1):
        places |= conv_bn(f"{ours}_{i}", f"{theirs}.{conv.format(i)}")
        places |= module(f"{ours}{prelu}", f"{theirs}.prelu{i}", "weight")
    return places


def _acrnet(args: dict[str, Any]) -> Places:
    halves = {
        "encoder": ("ACREncoderBlock", "conv_bn{}", ["_1_prelu", "_prelu"]),
        "decoder": ("ACRDecoderBlock", "conv{}_bn", ["_1_prelu", "_2_prelu", "_prelu"]),
    }
    features: dict[str, Places] = {}
    for half, (block, conv, prelus) in halves.items():
        theirs = f"{half}_feature"
        places = conv_bn(f"{half}/head", f"{theirs}.conv5x5_bn")
        places |= module(f"{half}/head_prelu", f"{theirs}.prelu", "weight")
        for i in (1, 2):
            ours = f"{half}/block{i}"
            places |= _acr_block(ours, f"{theirs}.{block}{i}", conv, prelus)
        features[half] = places
    return {
        **features["encoder"],
        **linear(CODEWORD, "encoder_fc"),
        **linear(EXPAND, "decoder_fc"),
        **features["decoder"],
    }


def _acrnet_options(tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    wide = tensors.get("decoder_feature.ACRDecoderBlock1.conv1_bn.bn.weight")
    return {} if wide is None else {"kappa": max(1, len(wide) // 8)}


_BCSINET_HEADS = {
    "A": ["conv3x3_bn"],
    "B": ["conv3x3_bn1", "conv3x3_bn2"],
    "C": ["conv3x3_bn1", "tiny_refine1.conv1_bn", "tiny_refine1.conv2_bn"],
}


def _bcsinet(args: dict[str, Any]) -> Places:
    head = _BCSINET_HEADS[args.get("head", "A")]
    encoder = {f"head{i}": f"encoder_feature.{n}" for i, n in enumerate(head, start=1)}
    decoder = {
        f"refine{i + 1}_{j}": f"decoder_feature.refine{i}.conv{j}_bn"
        for i in range(args.get("blocks", 2))
        for j in (1, 2, 3)
    }
    decoder["output"] = "decoder_feature.conv3x3_bn"
    return {
        **conv_bns("encoder", encoder, "conv3x3"),
        **linear(CODEWORD, "encoder_binary_fc"),
        **linear(EXPAND, "decoder_fc"),
        **conv_bns("decoder", decoder, "conv3x3"),
    }


def _bcsinet_options(tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    last = "encoder_feature.{}.conv3x3.weight"
    heads = [h for h, n in _BCSINET_HEADS.items() if last.format(n[-1]) in tensors]
    block = "decoder_feature.refine{}.conv1_bn.conv3x3.weight"
    blocks = 3 if block.format(2) in tensors else 2
    return {"head": heads[0], "blocks": blocks} if heads else {}


def _transnet(args: dict[str, Any]) -> Places:
    """One set of tensors per stack: both layers of a stack are the same module."""
    attention = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    stacks = {"encoder": ["self_attn"], "decoder": ["self_attn", "multihead_attn"]}
    places: Places = {}
    for half, attentions in stacks.items():
        kinds = [f"{name}.{kind}" for name in attentions for kind in attention]
        norms = [f"norm{i + 1}" for i in range(len(attentions) + 1)]
        for name in ("linear1", "linear2", *norms):
            kinds += [f"{name}.weight", f"{name}.bias"]
        places |= module(f"{half}/transformer", f"{half}.layer", *kinds)
    return {
        **places,
        **linear("decoder/norm", "decoder.norm"),
        **linear(CODEWORD, "fc_encoder"),
        **linear(EXPAND, "fc_decoder"),
    }


PYTORCH: dict[str, PublicNetwork] = {
    "crnet": PublicNetwork(_crnet),
    "clnet": PublicNetwork(_clnet),
    "acrnet": PublicNetwork(_acrnet, _acrnet_options),
    "bcsinet": PublicNetwork(_bcsinet, _bcsinet_options),
    "cllwcsinet": cllwcsinet_map.PUBLIC,
    "transnet": PublicNetwork(
        _transnet,
        channels_first=False,
        note="the authors' network attends over the examples of a batch, this one over "
        "the tokens of one example: the weights fit, outputs and NMSE differ",
    ),
}
