"""What the serving documents state: tensor names, coordinates, commands and flags."""

from __future__ import annotations

import re

import pytest
from ai_edge_litert.interpreter import Interpreter

from serving.codec import framing
from tests.support.serving_harness import ROOT
from tests.support.tiny_export import PAYLOAD_BYTES, save_encoder

DOCS = ROOT / "docs" / "deploy"
MOBILE = (DOCS / "mobile.md").read_text()


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory):
    directory = tmp_path_factory.mktemp("export")
    save_encoder(directory)
    return Interpreter(str(directory / "encoder.tflite"))


@pytest.mark.tflite
def test_mobile_names_are_those_of_an_encoder(interpreter):
    (signature,) = re.findall(r'signature = "(\w+)"', MOBILE)
    (name,) = re.findall(r'createInputBuffer\("(\w+)", signature\)', MOBILE)
    (packed,) = re.findall(r'createOutputBuffer\("(\w+)", signature\)', MOBILE)
    runner = interpreter.get_signature_runner(signature)
    (source,) = runner.get_input_details().values()
    (target,) = runner.get_output_details().values()
    assert list(runner.get_input_details()) == [name] == ["h"]
    assert list(runner.get_output_details()) == [packed] == ["packed"]
    assert source["shape"].tolist() == [1, 32, 32, 2]
    assert source["dtype"].__name__ == "float32"
    assert target["shape"].tolist() == [1, PAYLOAD_BYTES]
    assert target["dtype"].__name__ == "uint8"
    for row, outputs in (("encode_bits", "packed"), ("encode", "codeword")):
        assert re.search(rf"\| `{row}` \| `h` float32 .* \| `{outputs}` ", MOBILE)
        details = interpreter.get_signature_runner(row).get_output_details()
        assert list(details) == [outputs]


def test_mobile_coordinates_and_frame():
    (version,) = re.findall(
        r'implementation\("com\.google\.ai\.edge\.litert:litert:([\d.]+)"\)', MOBILE
    )
    bound = re.search(
        r'"ai-edge-litert>=([\d.]+)', (ROOT / "pyproject.toml").read_text()
    )
    numbers = [tuple(map(int, text.split("."))) for text in (version, bound.group(1))]
    assert numbers[0] >= numbers[1]
    form = framing.FORMATS[1]
    assert f"allocate(payload.size + {form.overhead_bytes})" in MOBILE
    assert f"update(frame.array(), 0, payload.size + {form.header_bytes})" in MOBILE
    assert f"frame.put({form.version}).put(modelId)" in MOBILE
