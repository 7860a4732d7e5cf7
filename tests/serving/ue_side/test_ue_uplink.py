"""A reporting UE whose decoder takes the uplink."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
import tensorflow as tf

from serving.codec import framing
from serving.codec.ue_encoder import UeEncoder
from serving.ue_side.csi_source import open_source
from serving.ue_side.daemon import Link, Schedule, UeDaemon
from serving.ue_side.router import Router
from tests.support.decoder_process import NumpyDecoders, serve
from tests.support.serving_harness import MODEL, TIMEOUT
from tests.support.tiny_export import MODEL_ID, samples, save_encoder

pytestmark = [pytest.mark.serving, pytest.mark.tflite]
H = samples(4)


def test_uplink_travels_with_the_frame_of_its_csi(tmp_path):
    save_encoder(tmp_path)
    codec = json.loads((tmp_path / "codec.json").read_text())
    (tmp_path / "codec.json").write_text(json.dumps({**codec, "uplink": True}))
    path = tmp_path / "pairs.npz"
    uplink = np.random.default_rng(0).random((4, 32, 32, 1), np.float32)
    np.savez(path, h=H, uplink=uplink)
    decoders = NumpyDecoders({MODEL: MODEL_ID})
    server, port = serve(decoders)
    route = {"name": MODEL, "uplink": True}
    routes = {"csi_shape": (32, 32, 2), "models": {MODEL_ID.hex(): route}}
    encoder = UeEncoder(tmp_path / "encoder.tflite")
    link = Link(lambda: Router(f"127.0.0.1:{port}", routes, TIMEOUT))
    source = open_source(path, encoder.codec["uplink"])
    daemon = UeDaemon(encoder, source, link, Schedule(0.05))
    daemon.run(threading.Event(), 0, lambda: None)
    link.close()
    server.stop(None)
    assert daemon.counts["valid"] == len(decoders.requests) == 4, daemon.last_error
    for h, side, request in zip(H, uplink, decoders.requests, strict=True):
        frame = framing.frame(encoder.encode_bits(h), MODEL_ID)
        assert request.inputs["feedback_bytes"].string_val[0] == frame
        sent = tf.make_ndarray(request.inputs["uplink"])
        np.testing.assert_array_equal(sent, side[np.newaxis, ..., 0])


def test_a_source_without_uplink_is_refused(tmp_path):
    np.savez(tmp_path / "h.npz", h=H)
    np.savez(tmp_path / "pairs.npz", h=H, uplink=H)
    for path, message in (
        (tmp_path / "h.npz", r"h.npz has keys \['h'\]: expected uplink"),
        (tmp_path / "pairs.npz", r"as uplink: expected float32 \[n, 32, 32, 1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            open_source(path, uplink=True)
