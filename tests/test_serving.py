INDICES = random_indices(5, seed=1)
EXPECTED = decode(INDICES)
PATH = f"/v1/models/{MODEL}"


@pytest.mark.parametrize(
    ("signature", "inputs"),
    [
        ("serving_default", {"feedback_bytes": frames(INDICES)}),
        ("decode_u8", {"packed": bitstream.pack(INDICES, 3)}),
        ("decode_indices", {"indices": INDICES}),
        ("decode_float", {"codeword": (INDICES.astype(np.float32) + 0.5) / 4 - 1}),
    ],
)
def test_grpc_and_rest_answer_as_the_numpy_decoder(stub, running, signature, inputs):
    response = stub.Predict(predict(signature, **inputs))
    assert response.model_spec.version.value == 3
    assert response.model_spec.signature_name == signature
    answer = outputs(response)
    assert answer["valid"].tolist() == [True] * 5
    np.testing.assert_allclose(answer["h"], EXPECTED, atol=1e-6)

    (alias, values), *_ = inputs.items()
    rows = [b64(v) if isinstance(v, bytes) else v.tolist() for v in values]
    document = {"signature_name": signature, "instances": rows}
    status, by_row = rest(running, "POST", f"{PATH}:predict", document)
    assert status == 200
    h = np.array([row["h"] for row in by_row["predictions"]], np.float32)
    np.testing.assert_array_equal(h, answer["h"])
    assert all(row["valid"] for row in by_row["predictions"])
    document = {"signature_name": signature, "inputs": {alias: rows}}
    status, by_column = rest(running, "POST", f"{PATH}/versions/1:predict", document)
    assert status == 200
    np.testing.assert_array_equal(np.float32(by_column["outputs"]["h"]), h)


def test_bad_frames_are_flagged_and_do_not_touch_the_good_rows(stub):
    sent = frames(random_indices(9, seed=2))
    good = outputs(stub.Predict(predict(feedback_bytes=sent)))
    assert good["valid"].all()
    damaged = list(sent)
    damaged[0] = sent[0][:-1]
    damaged[2] = sent[2][:9] + bytes([sent[2][9] ^ 16]) + sent[2][10:]
    damaged[3] = sent[3] + b"\0"
    damaged[4] = bitstream.frame(bytes(PAYLOAD_BYTES), b"abcd")
    damaged[5] = bitstream.frame(bytes(PAYLOAD_BYTES - 1), bytes.fromhex("0badcafe"))
    damaged[8] = b""
    mixed = outputs(stub.Predict(predict(feedback_bytes=damaged)))
    keep = [1, 6, 7]
    assert np.flatnonzero(mixed["valid"]).tolist() == keep
    np.testing.assert_array_equal(mixed["h"][keep], good["h"][keep])
    assert np.isnan(np.delete(mixed["h"], keep, axis=0)).all()


def test_every_bit_flip_is_flagged(stub):
    (frame,) = frames(random_indices(1, seed=3))
    flipped = np.repeat(np.frombuffer(frame, np.uint8)[None], 8 * len(frame), axis=0)
    flipped ^= np.packbits(np.eye(8 * len(frame), dtype=np.uint8), axis=1)
    request = predict(feedback_bytes=[row.tobytes() for row in flipped])
    assert not outputs(stub.Predict(request))["valid"].any()


