"""TransNet and its transformer stacks against NumPy, PyTorch and published counts."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.support.network_checks import randomise
from zoo.keras_compat import Model, keras, set_precision
from zoo.layers.transformer import TransformerDecoder, TransformerEncoder
from zoo.metrics import complexity
from zoo.models.transnet import build_transnet

RNG = np.random.default_rng(0)
TOKENS, WIDTH, FFN = 4, 6, 5
STACKS = {"encoder": TransformerEncoder, "decoder": TransformerDecoder}
# M: (UE params, BS params, UE MACs, BS MACs, all params, all MACs).
COUNTS = {
    512: (1_330_240, 1_348_672, 19_136_512, 20_447_232, 2_678_912, 39_583_744),
    256: (805_696, 824_384, 18_612_224, 19_922_944, 1_630_080, 38_535_168),
    32: (346_720, 365_632, 18_153_472, 19_464_192, 712_352, 37_617_664),
}
SMALL = {"csi_shape": (4, 3, 2), "codeword_dim": 7}


def _input(batch=3):
    return RNG.standard_normal((batch, TOKENS, WIDTH)).astype(np.float32)


def _stack(name, shared=False, dtype="float32", batch=None):
    x = keras.Input((TOKENS, WIDTH), batch_size=batch)
    layer = STACKS[name](2, 2, FFN, shared=shared, name="stack", dtype=dtype)
    model = Model(x, layer(x))
    randomise(model, RNG, 0.5)
    return model, layer


def _values(layer):
    return {name: np.asarray(w, np.float64) for name, w in layer.tensors.items()}


def _norm(x, w, name):
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    scaled = (x - mean) / np.sqrt(variance + 1e-5)
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def _attend(target, memory, w, name):
    """Two heads on one example, query by query."""
    kernel, bias = w[f"{name}.in_proj_weight"], w[f"{name}.in_proj_bias"]
    (wq, wk, wv), (bq, bk, bv) = np.split(kernel, 3, axis=1), np.split(bias, 3)
    q, k, v = target @ wq + bq, memory @ wk + bk, memory @ wv + bv
    half = WIDTH // 2
    out = np.zeros_like(target)
    for head in (slice(0, half), slice(half, WIDTH)):
        for t in range(len(target)):
            e = np.exp(k[:, head] @ q[t, head] / np.sqrt(half))
            out[t, head] = (e / e.sum()) @ v[:, head]
    return out @ w[f"{name}.out_proj.weight"] + w[f"{name}.out_proj.bias"]


def _reference(x, tensors, name, shared):
    """Both layers of a stack on one example `[T, d]`."""
    memory = x
    for i in range(2):
        prefix = "layers.0." if shared else f"layers.{i}."
        w = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
        x = _norm(x + _attend(x, x, w, "self_attn"), w, "norm1")
        last = "norm2"
        if name == "decoder":
            x = _norm(x + _attend(x, memory, w, "multihead_attn"), w, "norm2")
            last = "norm3"
        hidden = np.maximum(x @ w["linear1.weight"] + w["linear1.bias"], 0)
        x = _norm(x + hidden @ w["linear2.weight"] + w["linear2.bias"], w, last)
    return x


@pytest.mark.parity
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", STACKS)
def test_stack_against_numpy(name, shared):
    model, layer = _stack(name, shared)
    x = _input()
    tensors = _values(layer)
    assert len(tensors) == len(model.weights)
    expected = [_reference(example, tensors, name, shared) for example in x]
    np.testing.assert_allclose(model(x), expected, atol=2e-5)


@pytest.mark.parity
@pytest.mark.parametrize("name", STACKS)
def test_stack_against_pytorch(name):
    """The names, order and shapes are those of a PyTorch state dict."""
    torch = pytest.importorskip("torch", reason="pip install -e .[bench]")
    model, layer = _stack(name)
    kind = f"Transformer{name.title()}"
    layers = getattr(torch.nn, f"{kind}Layer")(WIDTH, 2, FFN, 0.0, batch_first=True)
    theirs = getattr(torch.nn, kind)(layers, 2)
    state = {k: torch.tensor(np.asarray(w).T) for k, w in layer.tensors.items()}
    assert list(theirs.state_dict()) == list(layer.tensors)
    theirs.load_state_dict(state)
    x = _input()
    memory = [torch.tensor(x)] * (2 if name == "decoder" else 1)
    expected = theirs(*memory).detach().numpy()
    np.testing.assert_allclose(model(x), expected, atol=2e-5)


def test_initial_values():
    """Xavier over the three projections together; PyTorch's biases; unit norms."""
    layer = TransformerDecoder(2, 2, 400)
    layer.build((None, 8, 64))
    w = _values(layer)
    for name in ("self_attn.in_proj_weight", "linear1.bias", "linear2.bias"):
        assert (w[f"layers.0.{name}"] != w[f"layers.1.{name}"]).any()
    for name in ("self_attn", "multihead_attn"):
        assert w[f"layers.0.{name}.in_proj_weight"].shape == (64, 192)
        bound = np.sqrt(6 / (64 + 192))
        largest = np.abs(w[f"layers.0.{name}.in_proj_weight"]).max()
        assert 0.99 < largest / bound <= 1
        assert not w[f"layers.0.{name}.in_proj_bias"].any()
        assert not w[f"layers.0.{name}.out_proj.bias"].any()
    for name, fan_in in (("linear1", 64), ("linear2", 400)):
        largest = np.abs(w[f"layers.0.{name}.bias"]).max()
        assert 0.8 < largest * np.sqrt(fan_in) <= 1
    for n in (1, 2, 3):
        assert (w[f"layers.0.norm{n}.weight"] == 1).all()
        assert not w[f"layers.0.norm{n}.bias"].any()


@pytest.mark.parametrize("name", STACKS)
def test_serialisation_and_precision(name, tmp_path):
    model, _ = _stack(name)
    x = _input()
    again = Model.from_config(model.get_config())
    model.save_weights(tmp_path / "a.weights.h5")
    again.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(again(x), model(x))
    half, _ = _stack(name, dtype="mixed_bfloat16")
    half.set_weights(model.get_weights())
    out = half(x)
    assert out.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(out, "float32"), model(x), atol=0.06)


def test_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="6 values in 4 heads"):
        TransformerEncoder(1, 4, FFN).build((None, TOKENS, WIDTH))


@pytest.mark.golden
@pytest.mark.parametrize("codeword_dim", COUNTS)
def test_published_counts(codeword_dim):
    s = complexity.summary(build_transnet(codeword_dim=codeword_dim))
    counts = s["ue_params"], s["bs_params"], s["ue_macs"], s["bs_macs"]
    assert (*counts, sum(counts[:2]), sum(counts[2:])) == COUNTS[codeword_dim]


@pytest.mark.golden
def test_unshared_and_functional_blind_counts():
    """Own weights cost parameters, no MACs; attention left out."""
    model = build_transnet(codeword_dim=32, shared=False)
    s = complexity.summary(model)
    assert s["ue_params"] == COUNTS[32][0] + 281_152
    assert s["bs_params"] == COUNTS[32][1] + 297_920
    assert (s["ue_macs"], s["bs_macs"]) == COUNTS[32][2:4]
    stacks = (m.get_layer("transformer") for m in (model.encoder, model.decoder))
    ffn = sum(stack.functional_blind_macs() for stack in stacks)
    assert ffn + 2 * 2048 * 512 == 35_651_584


def test_tokens_are_pairs_of_angle_rows():
    """Of one part, delays in order; the decoder puts them back."""
    model = build_transnet(**SMALL)
    csi = RNG.random((2, 4, 3, 2), np.float32)
    tokens = Model(model.encoder.input, model.encoder.get_layer("tokens").output)(csi)
    assert tokens.shape == (2, 4, 6)
    np.testing.assert_array_equal(tokens[1, 0, :3], csi[1, 0, :, 0])
    np.testing.assert_array_equal(tokens[1, 1, 3:], csi[1, 3, :, 0])
    np.testing.assert_array_equal(tokens[1, 2, 3:], csi[1, 1, :, 1])
    decoder = model.decoder
    outputs = [decoder.get_layer("norm").output, decoder.output]
    z = RNG.standard_normal((2, 7)).astype(np.float32)
    tokens, csi = Model(decoder.input, outputs)(z)
    np.testing.assert_array_equal(
        np.asarray(tokens).reshape(2, 2, 4, 3), np.transpose(csi, (0, 3, 1, 2))
    )


def test_examples_do_not_see_each_other():
    """The public code's attention over the batch would change the first one."""
    model = build_transnet(**SMALL).autoencoder
    csi = RNG.random((4, 4, 3, 2), np.float32)
    other = np.concatenate([csi[:1], RNG.random((3, 4, 3, 2), np.float32)])
    out, out_other = np.asarray(model(csi)), np.asarray(model(other))
    np.testing.assert_allclose(out[0], out_other[0], atol=1e-6)
    assert np.abs(out[1:] - out_other[1:]).max() > 1e-3
    np.testing.assert_allclose(model(csi[:1])[0], out[0], atol=1e-5)


def test_mixed_precision_and_other_shape():
    full = build_transnet((6, 5, 2), 9, layers=1)
    set_precision("mixed_bfloat16")
    try:
        half = build_transnet((6, 5, 2), 9, layers=1)
    finally:
        set_precision("float32")
    half.autoencoder.set_weights(full.autoencoder.get_weights())
    csi = RNG.random((2, 6, 5, 2), np.float32)
    out = half.autoencoder(csi)
    assert out.dtype == tf.float32 and out.shape == csi.shape
    np.testing.assert_allclose(out, full.autoencoder(csi), atol=0.15)
    # Finer than the grid of bfloat16: the last normalisation is in float32.
    assert np.any(tf.cast(tf.cast(out, "bfloat16"), "float32") != out)


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"csi_shape": (5, 4, 2)}, "even N_t"),
        ({"layers": 0}, "positive integer"),
        ({"layers": True}, "positive integer"),
        ({"shared": "yes"}, "True or False"),
    ],
)
def test_refused_options(args, word):
    with pytest.raises(ValueError, match=word):
        build_transnet(**args)
