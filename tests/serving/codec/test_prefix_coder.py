"""The range coder: shortest streams, and prefixes that decode to what was sent."""

import numpy as np
import pytest

from serving.codec import prefix_coder
from serving.codec.prefix_coder import TOTAL, PrefixDecoder


def decoded(payload, models, count):
    decoder, found = PrefixDecoder(payload), []
    while len(found) < count:
        symbol = decoder.next(models[len(found) % len(models)])
        if symbol is None:
            break
        found.append(symbol)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_streams_and_their_prefixes_decode_to_what_was_sent(seed):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        size, count = rng.integers(2, 200), rng.integers(1, 40)
        tables = prefix_coder.tables_of(rng.gamma(0.2, size=(3, size)))
        models = [prefix_coder.Model(row) for row in tables]
        share = tables[np.arange(count) % 3] / TOTAL
        sent = [int(rng.choice(size, p=row)) for row in share]
        payload = prefix_coder.encode(
            (symbol, models[i % 3]) for i, symbol in enumerate(sent)
        )
        ideal = -np.log2(share[np.arange(count), sent]).sum()
        assert 8 * len(payload) <= ideal + 10  # a byte, and the coder's rounding
        assert decoded(payload, models, count) == sent
        for cut in range(len(payload)):
            found = decoded(payload[:cut], models, count)
            assert found == sent[: len(found)]
            assert len(found) < count


@pytest.mark.parametrize("size", [2, 5, 60, 2048])
def test_the_library_takes_the_same_symbols_of_any_bytes(size):
    rng = np.random.default_rng(size)
    for rare in (0.02, 0.2, 2.0):
        tables = prefix_coder.tables_of(rng.gamma(rare, size=(3, size)))
        models = [prefix_coder.Model(row) for row in tables]
        sent = rng.integers(size, size=40).tolist()  # rare ones, too
        stream = prefix_coder.encode((s, models[i % 3]) for i, s in enumerate(sent))
        assert determined_by_library(stream, tables, 40) == sent
        for length in (0, 1, 7, 30, 64):
            payload = rng.bytes(length)
            found = decoded(payload, models, 50)
            assert determined_by_library(payload, tables, 50) == found


def determined_by_library(payload, tables, count):
    """Symbols that constriction decodes whatever bytes follow."""
    library = pytest.importorskip("constriction", reason="no package for this machine")
    categorical = library.stream.model.Categorical
    models = [categorical(row / TOTAL, perfect=False) for row in tables]
    size, found = len(payload) // 4 * 4 + 512, []
    decoders = [
        library.stream.queue.RangeDecoder(
            np.frombuffer(payload.ljust(size, tail), ">u4").astype(np.uint32)
        )
        for tail in (b"\0", b"\xff")
    ]
    while len(found) < count:
        try:
            low, high = (end.decode(models[len(found) % 3]) for end in decoders)
        except AssertionError:  # rounding leaves a gap at the top
            break
        if low != high:
            break
        found.append(low)
    return found


def test_a_longer_prefix_determines_no_less():
    rng = np.random.default_rng(1)
    model = prefix_coder.Model(prefix_coder.tables_of(rng.random(50)))
    sent = rng.integers(50, size=60).tolist()
    payload = prefix_coder.encode((symbol, model) for symbol in sent)
    found = [len(decoded(payload[:m], [model], 60)) for m in range(len(payload) + 1)]
    assert found == sorted(found) and found[0] == 0 and found[-1] == 60


def test_nothing_is_at_most_a_byte():
    assert len(prefix_coder.encode([])) <= 1


def test_known_bytes():
    """The bytes themselves: other versions and machines must give the same."""
    tables = prefix_coder.tables_of(np.array([[1, 2, 5, 8], [90, 9, 1, 0]]))
    models = [prefix_coder.Model(row) for row in tables]
    sent = [3, 0, 0, 1, 2, 2, 1, 3, 3, 0, 2, 0]
    payload = prefix_coder.encode((s, models[i % 2]) for i, s in enumerate(sent))
    assert payload.hex() == KNOWN
    assert decoded(bytes.fromhex(KNOWN), models, len(sent)) == sent


KNOWN = "86cd5771fa3d"


@pytest.mark.parametrize("size", [0, 1, 3, 4, 50, 400])
def test_random_bytes_end(size):
    rng = np.random.default_rng(size)
    model = prefix_coder.Model(prefix_coder.tables_of(np.array([9.0, 3, 1, 0.1])))
    for _ in range(50):
        found = decoded(rng.bytes(size), [model], 10**5)
        assert len(found) <= 8 * (size + 1) / -np.log2(0.7)


@pytest.mark.parametrize("counts", [[0, 0, 0], [1, 0, 1e9], [1e-300, 1, 1]])
def test_tables_give_every_symbol_a_share(counts):
    table = prefix_coder.check_tables(prefix_coder.tables_of(np.array(counts)))
    assert table.min() >= 1 and table.sum() == TOTAL


@pytest.mark.parametrize(
    "tables", [[0.5, 0.5], [TOTAL], [0, TOTAL], [1, 1], [-1, TOTAL + 1]]
)
def test_other_tables_are_refused(tables):
    with pytest.raises(ValueError, match="expected"):
        prefix_coder.check_tables(np.array(tables))
