"""What every network of the registry must do, at a small size."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tests.support.network_checks import SMALL, side_inputs, whole
from zoo import registry
from zoo.codeword.codec_graph import EncoderGraph
from zoo.config import ExperimentConfig
from zoo.keras_compat import Model, keras
from zoo.layers.quantizers import UniformQuantizer
from zoo.models.autoencoder import CsiAutoencoder
from zoo.quantization.encoder_files import convert
from zoo.quantization.precisions import PRECISIONS
from zoo.training.trainer import Trainer

SHAPE, CODEWORD_DIM = (16, 16, 2), 64
SCENARIOS = {"indoor", "outdoor", "rma_nlos"}


def _shape(name: str) -> tuple[int, ...]:
    return (3, *SHAPE) if registry.get(name).takes_sequences else SHAPE


def _build(name: str) -> CsiAutoencoder:
    return registry.build(name, _shape(name), CODEWORD_DIM, SMALL.get(name))


def _csi(name: str, count: int = 8) -> np.ndarray:
    """Sparse CSI around 0.5, the scale of real one."""
    rng = np.random.default_rng(0)
    h = rng.standard_normal((count, *_shape(name))) * (rng.random(_shape(name)) < 0.1)
    return (0.5 + 0.1 * h).astype(np.float32)


# Their siblings go through the same code in the default run.
SLOW = {
    "attention_csinet", "bacrnet", "cl_acrnet", "cl_crnet", "cl_csinet", "clnet",
    "cs_csinet", "csinet_plus_pm", "csinet_plus_sm", "dualnet_mag", "fista_net",
    "ista_net", "ista_net_cnn",
}  # fmt: skip
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in sorted(registry.MODELS)
]


@pytest.fixture(scope="module", params=NAMES)
def trained(request):
    """A network after three updates on one batch: its name, the model, the losses."""
    name = request.param
    keras.utils.set_random_seed(0)
    shape = _shape(name)
    model_args = str(SMALL.get(name, {})).replace("'", '"')
    settings = ExperimentConfig(
        model=name, codeword_dim=CODEWORD_DIM, model_args=model_args, batch_size=8,
        schedule="constant", lr=3e-4, cpu_step="native",
    )  # fmt: skip
    trainer = Trainer(settings, tf.distribute.get_strategy(), shape, 10)
    csi = _csi(name)
    batch = np.concatenate([csi, *side_inputs(name, csi)], axis=-1)
    losses = [float(trainer.step(batch)) for _ in range(3)]
    return name, trainer.model, losses


def test_loss_falls(trained):
    name, _, losses = trained
    assert losses[2] < losses[0], (name, losses)


def test_parts_make_the_whole(trained):
    name, model, _ = trained
    for part in (model.encoder, model.decoder):
        assert not any(isinstance(layer, Model) for layer in part.layers)
    csi = _csi(name, 3)
    side = side_inputs(name, csi)
    codeword, csi_hat = model.transmit(csi), whole(model, csi, *side)
    assert codeword.shape[0] == 3 and len(codeword.shape) == 2
    assert csi_hat.shape == csi.shape and csi_hat.dtype == np.float32
    np.testing.assert_allclose(model.receive(codeword, *side), csi_hat, atol=1e-6)
    for i, expected in enumerate(csi_hat):  # no sample needs the others
        one = [x[i : i + 1] for x in (csi, *side)]
        got = model.receive(model.transmit(one[0]), *one[1:])
        np.testing.assert_allclose(got[0], expected, atol=1e-5)
    spec = registry.get(name)
    if not (spec.takes_sequences or spec.takes_uplink):
        assert codeword.shape[1] == CODEWORD_DIM


def test_weights_travel_bit_by_bit(trained, tmp_path):
    name, model, _ = trained
    model.trained.save_weights(tmp_path / "w.weights.h5")
    again = _build(name)
    again.trained.load_weights(tmp_path / "w.weights.h5")
    csi = _csi(name, 2)
    side = side_inputs(name, csi)
    np.testing.assert_array_equal(whole(again, csi, *side), whole(model, csi, *side))
    for ours, theirs in zip(again.trained.weights, model.trained.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.tflite
def test_encoder_on_tflite(trained, tmp_path):
    name, model, _ = trained
    length = model.encoder.output.shape[-1]
    codec = {"csi_shape": _shape(name), "sections": [[length, 4]]}
    sending = model._replace(path=(UniformQuantizer(4),))
    content = convert(EncoderGraph(sending, codec), tmp_path, PRECISIONS["fp32"])
    h = _csi(name, 2) - np.float32(0.5)
    expected = np.asarray(model.encoder(h + np.float32(0.5)))
    encode = Interpreter(model_content=content).get_signature_runner("encode")
    got = np.concatenate([encode(h=x[None])["codeword"] for x in h])
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(got, expected, atol=1e-4 * scale)


@pytest.mark.parametrize("name", sorted(registry.MODELS))
def test_specification(name):
    spec = registry.get(name)
    assert spec.paper and spec.licence and spec.codeword_dims
    build = spec.build.__doc__
    for word in ("Args:", "Returns:", "Raises:", "Deviations:", "::"):
        assert word in build, word
    published = [
        spec.published,
        *(variant.published for variant in spec.variants.values()),
    ]
    for rows in published:
        for ratio, figures in rows.items():
            length = math.prod(spec.csi_shape) // int(ratio.partition("/")[2])
            assert length in spec.codeword_dims
            assert set(figures) <= SCENARIOS
            assert all(-40 < value < 0 for value in figures.values())
