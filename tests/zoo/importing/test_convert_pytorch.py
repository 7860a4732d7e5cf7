"""PyTorch networks, saved by PyTorch under the public names, against their import."""

from __future__ import annotations

import re
from collections import OrderedDict

import numpy as np
import pytest

from zoo.importing.network import import_network

torch = pytest.importorskip(
    "torch", reason="PyTorch is only in the 'bench' extra: pip install -e .[bench]"
)

from torch import nn  # noqa: E402

from benchmarks.torch_networks import NETWORKS  # noqa: E402

M = 8
# Names in benchmarks/torch_networks.py to names in the public modules.
TWO_PATHS = {
    r"encoder\.path_a1": "encoder1.conv3x3_bn",
    r"encoder\.path_a2": "encoder1.conv1x9_bn",
    r"encoder\.path_a3": "encoder1.conv9x1_bn",
    r"encoder\.merge": "encoder_conv.conv1x1_bn",
}
CR_DECODER = {
    r"decoder\.head1": "decoder_feature.conv5x5_bn",
    r"decoder\.block(\d)\.a1": r"decoder_feature.CRBlock\1.path1.conv3x3",
    r"decoder\.block(\d)\.b1": r"decoder_feature.CRBlock\1.path2.conv1x5",
    r"decoder\.block(\d)\.b2": r"decoder_feature.CRBlock\1.path2.conv5x1",
    r"decoder\.block(\d)\.merge": r"decoder_feature.CRBlock\1.conv1x1",
}
ACR_BLOCKS = {
    "encoder": "row=conv_bn1 row_activation=prelu1 column=conv_bn2 activation=prelu2",
    "decoder": "row=conv1_bn row_activation=prelu1 grouped=conv2_bn "
    "grouped_activation=prelu2 column=conv3_bn activation=prelu3",
}
PUBLIC = {
    "crnet": {
        **TWO_PATHS,
        **CR_DECODER,
        r"encoder\.path_b": "encoder2",
        r"encoder\.codeword": "encoder_fc",
        r"decoder\.expand": "decoder_fc",
        r"decoder\.block(\d)\.a2": r"decoder_feature.CRBlock\1.path1.conv1x9",
        r"decoder\.block(\d)\.a3": r"decoder_feature.CRBlock\1.path1.conv9x1",
    },
    "clnet": {
        **{old: f"encoder.{new}" for old, new in TWO_PATHS.items()},
        **{old: f"decoder.{new}" for old, new in CR_DECODER.items()},
        r"encoder\.path_b\.conv_bn": "encoder.encoder2",
        r"encoder\.attention": "encoder.sa.spatial",
        r"encoder\.path_b\.scale\.squeeze": "encoder.se.fc.0",
        r"encoder\.path_b\.scale\.excite": "encoder.se.fc.2",
        r"encoder\.codeword": "encoder.replace_efc",
        r"decoder\.expand": "decoder.replace_dfc",
        r"decoder\.block(\d)\.a2": r"decoder.decoder_feature.CRBlock\1.path1.conv1x3",
        r"decoder\.block(\d)\.a3": r"decoder.decoder_feature.CRBlock\1.path1.conv3x1",
    },
    "acrnet": {
        r"(encoder|decoder)\.head": r"\1_feature.conv5x5_bn",
        r"(encoder|decoder)\.head_activation": r"\1_feature.prelu",
        r"encoder\.codeword": "encoder_fc",
        r"decoder\.expand": "decoder_fc",
        **{
            rf"{half}\.block(\d)\.(?:body\.)?{old}": (
                rf"{half}_feature.ACR{half.title()}Block\1.{new}"
            )
            for half, modules in ACR_BLOCKS.items()
            for old, new in (pair.split("=") for pair in modules.split())
        },
    },
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def public_name(network: str, key: str) -> str:
    """Name of a tensor of the benchmark's network in the public module."""
    for old, new in PUBLIC[network].items():
        renamed, found = re.subn(rf"^{old}\.(?=(conv|bn)\.|\w+$)", f"{new}.", key)
        if found:
            return renamed
    raise AssertionError(key)


def randomised(model: nn.Module) -> nn.Module:
    """The model with random statistics, gains, slopes and biases, for inference."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            gain = tensor.ndim == 1 and name.endswith("weight")
            if gain or name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif tensor.ndim == 1:
                tensor.uniform_(-0.1, 0.1)
    return model.eval()


def published(network: str, model: nn.Module) -> OrderedDict:
    """State dict under the public names, CLNet's FC layers as convolutions."""
    state = OrderedDict(
        (public_name(network, key), value) for key, value in model.state_dict().items()
    )
    if network == "clnet":
        efc, dfc = "encoder.replace_efc.weight", "decoder.replace_dfc.weight"
        state[efc] = state[efc][..., None]
        state[dfc] = state[dfc].T[..., None]
    return state


def assert_equal(model: nn.Module, network, scale: float = 1.0) -> None:
    """Codeword and output of the import are the PyTorch network's."""
    x = torch.rand(3, 2, 32, 32)
    with torch.no_grad():
        codeword = model.encoder(x)
        csi_hat = model.decoder(codeword).numpy().transpose(0, 2, 3, 1)
    ours = network.encoder(x.numpy().transpose(0, 2, 3, 1))
    assert csi_hat.std() > 0.01
    atol = 1e-5 * scale
    np.testing.assert_allclose(ours, codeword, rtol=0, atol=atol)
    np.testing.assert_allclose(network.decoder(ours), csi_hat, rtol=0, atol=atol)


@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "options"), [("crnet", {}), ("acrnet", {"expansion": 2})]
)
@pytest.mark.parametrize("match", ["name", "order"])
def test_whole_checkpoint(name, options, match, tmp_path):
    model, path = randomised(NETWORKS[name](M, **options)), tmp_path / "net.pth"
    own_names = match == "order"
    state = model.state_dict() if own_names else published(name, model)
    torch.save({"state_dict": state, "epoch": 7}, path)
    imported = import_network(name, [path], match=match)
    assert imported.model_args == ({"kappa": 2} if name == "acrnet" else {})
    assert imported.codeword_dim == M and "epoch" in imported.ignored
    assert_equal(model, imported.network)


@pytest.mark.parity
def test_clnet_in_two_files(tmp_path):
    """As in its repository: halves without prefix, legacy format, thop's counters."""
    model = randomised(NETWORKS["clnet"](M))
    state = published("clnet", model)
    paths = [tmp_path / "32encoder.pth.tar", tmp_path / "32decoder.pth.tar"]
    for half, path in zip(("encoder.", "decoder."), paths, strict=True):
        part = OrderedDict(total_ops=torch.zeros(1), total_params=torch.zeros(1))
        for key, value in state.items():
            if key.startswith(half):
                part[key.removeprefix(half)] = value
        torch.save(part, path, _use_new_zipfile_serialization=False)
    imported = import_network("clnet", paths)
    assert "total_ops" in imported.ignored
    assert_equal(model, imported.network)
    with pytest.raises(ValueError, match="lacks decoder.decoder_feature"):
        import_network("clnet", paths[::-1])
    torch.save(model.state_dict(), paths[0])
    with pytest.raises(ValueError, match="stands where"):
        import_network("clnet", paths[:1], match="order")


def conv_bn(inputs: int, outputs: int) -> nn.Module:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(OrderedDict(conv3x3=conv, bn=nn.BatchNorm2d(outputs)))


def leaky(x):
    return nn.functional.leaky_relu(x, 0.3)


class BCsiNet(nn.Module):
    """BCsiNet-C3 with the public names; its tensors are random."""

    def __init__(self):
        super().__init__()
        tiny = OrderedDict(conv1_bn=conv_bn(2, 4), conv2_bn=conv_bn(4, 2))
        self.encoder_feature = nn.Sequential(
            OrderedDict(conv3x3_bn1=conv_bn(2, 2), tiny_refine1=nn.Sequential(tiny))
        )
        self.encoder_binary_fc = nn.Linear(2048, M)
        self.decoder_fc = nn.Linear(M, 2048)
        widths = [(2, 8), (8, 16), (16, 2)]
        blocks = OrderedDict()
        for i in range(3):
            convs = {f"conv{j + 1}_bn": conv_bn(*w) for j, w in enumerate(widths)}
            blocks[f"refine{i}"] = nn.Sequential(OrderedDict(convs))
        self.decoder_feature = nn.Sequential(blocks)
        self.decoder_feature.add_module("conv3x3_bn", conv_bn(2, 2))

    def encoder(self, x):
        head, tiny = self.encoder_feature
        x = leaky(head(x))
        x = leaky(x + tiny[1](leaky(tiny[0](x))))
        fc = self.encoder_binary_fc
        weight = fc.weight.abs().mean() * torch.sign(fc.weight)
        return nn.functional.linear(x.flatten(1), weight, fc.bias)

    def decoder(self, z):
        x = self.decoder_fc(z).reshape(-1, 2, 32, 32)
        *blocks, last = self.decoder_feature
        for a, b, c in blocks:
            x = leaky(x + c(leaky(b(leaky(a(x))))))
        return torch.sigmoid(last(x))


class TransNet(nn.Module):
    """TransNet of PyTorch's own layers, attention within one example."""

    def __init__(self):
        super().__init__()
        options = {"dropout": 0.0, "batch_first": True}
        self.stacks = nn.ModuleDict({"encoder": nn.Module(), "decoder": nn.Module()})
        up, down = self.stacks["encoder"], self.stacks["decoder"]
        up.layer = nn.TransformerEncoderLayer(64, 2, 2048, **options)
        down.layer = nn.TransformerDecoderLayer(64, 2, 2048, **options)
        down.norm = nn.LayerNorm(64)
        self.fc_encoder, self.fc_decoder = nn.Linear(2048, M), nn.Linear(M, 2048)

    def encoder(self, x):
        layer = self.stacks["encoder"].layer
        return self.fc_encoder(layer(layer(x.reshape(-1, 32, 64))).flatten(1))

    def decoder(self, z):
        down, y = self.stacks["decoder"], self.fc_decoder(z).reshape(-1, 32, 64)
        return down.norm(down.layer(down.layer(y, y), y)).reshape(-1, 2, 32, 32)


@pytest.mark.parity
def test_bcsinet(tmp_path):
    model, path = randomised(BCsiNet()), tmp_path / "net.pth"
    torch.save({"state_dict": model.state_dict()}, path)
    imported = import_network("bcsinet", [path])
    assert imported.model_args == {"head": "C", "blocks": 3}
    assert_equal(model, imported.network)


@pytest.mark.parity
def test_transnet(tmp_path):
    model, path = randomised(TransNet()), tmp_path / "net.pth"
    state = model.state_dict()
    state = {key.removeprefix("stacks."): value for key, value in state.items()}
    torch.save({"state_dict": state}, path)
    # Values are layer-normalised, not in [0, 1].
    assert_equal(model, import_network("transnet", [path]).network, scale=4.0)
