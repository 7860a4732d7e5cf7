"""Weights by name: found, fetched from a server, resumed, verified, hostile ones."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h5py
import numpy as np
import pytest

from tests.conftest import assert_one_line_error, run_command
from tfds_builders.untrusted import hdf5
from zoo import files
from zoo.config import ExperimentConfig
from zoo.importing import download, weights_by_name
from zoo.reporting import network_list
from zoo.training import session

FILES = ("config.json", "flags.cfg", "best.weights.h5", "data.json", "network.json")


class Host(BaseHTTPRequestHandler):
    """Serves `files`, name to bytes; what `cut` names ends after so many bytes."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        begin = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if begin and begin >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(content[begin : self.server.cut.pop(self.path, None)])

    def log_message(self, *args):
        pass


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A server on 127.0.0.1, and an empty cache."""
    monkeypatch.setenv("CSI_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    server.files, server.asked, server.cut = {}, [], {}
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def published(host, tiny_run):
    """URL of the tiny run on that server, with a card."""
    card = {"weights_sha256": files.sha256(tiny_run.weights)}
    host.files = {
        f"/tiny/{name}": (tiny_run.path / name).read_bytes() for name in FILES
    } | {"/tiny/card.json": json.dumps(card).encode()}
    return f"{host.url}/tiny"


def cached(tmp_path):
    return sorted(p.name for p in (tmp_path / "cache").glob("[!.]*"))


def test_fetched_once_and_trained_on(published, host, tiny_run, tiny_config, tmp_path):
    path = weights_by_name.locate(published)
    asked = len(host.asked)
    assert weights_by_name.locate(f"{published}/best.weights.h5?download=true") == path
    assert len(host.asked) == asked and cached(tmp_path) == [path.name]
    assert files.sha256(path / "best.weights.h5") == files.sha256(tiny_run.weights)
    assert files.read_json(path / "config.json")["data_dir"] == ""
    source = files.read_json(path / "source.json")
    assert source["url"] == published and source["origin"] != "ours"
    settings = tiny_config(tmp_path / "on", weights=published, epochs=1)
    best = min(r["val_nmse_db"] for r in tiny_run.read_metrics())
    first = session.train(settings).read_metrics()[0]
    assert first["val_nmse_db"] == pytest.approx(best, abs=1e-3)


def test_evaluated_by_name(published, tiny_run, data_dir, tmp_path):
    target, env = tmp_path / "row.json", {"TFDS_DATA_DIR": str(data_dir)}
    arguments = [f"--weights={published}", f"--json={target}"]
    done = run_command("zoo.evaluate", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    row = files.read_json(target)
    assert row["origin"] == "published_checkpoint"
    assert row["weights_sha256"] == files.sha256(tiny_run.weights)


def test_one_of_run_and_weights():
    for command, more in (("zoo.evaluate", []), ("zoo.export", ["--out=x"])):
        done = run_command(command, "--run=a", "--weights=b", *more)
        assert_one_line_error(done, "--run=a and --weights=b: leave one out")
        done = run_command(command, "--run=a", "--weights_sha256=0a", *more)
        assert_one_line_error(done, "give --weights=a instead of --run")
        done = run_command(command, "--weights=crnet_indor", *more)
        assert_one_line_error(done, "crnet_indor: no such", "crnet_indoor_16")


def test_a_hash_of_no_weights():
    with pytest.raises(ValueError, match="--weights_sha256=0a: there are no"):
        ExperimentConfig(weights_sha256="0a")


def test_hub_names(published, host, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", host.url)
    url = download.url_of("hf:me/net.1/tiny@v2")
    assert url == f"{host.url}/me/net.1/resolve/v2/tiny"
    assert download.url_of("hf:me/net") == f"{host.url}/me/net/resolve/main"
    host.files = {
        path.replace("/tiny", "/me/net.1/resolve/v2/tiny"): content
        for path, content in host.files.items()
    }
    assert weights_by_name.locate("hf:me/net.1/tiny@v2").is_dir()
    for wrong in ("hf:me", "hf:me/../x", "hf:me/net/../../x", "hf:a/b@../../c"):
        with pytest.raises(ValueError, match="expected hf:OWNER/REPO"):
            weights_by_name.locate(wrong)


def test_a_download_that_is_cut_off_goes_on(published, host, tmp_path):
    host.cut["/tiny/best.weights.h5"] = 1000
    with pytest.raises(OSError, match="cut off after 1,000 bytes"):
        weights_by_name.locate(published)
    assert cached(tmp_path) == []
    assert weights_by_name.locate(published).is_dir()
    assert ("/tiny/best.weights.h5", "bytes=1000-") in host.asked


def test_a_download_that_goes_on_with_another_file(published, host, tmp_path):
    host.cut["/tiny/best.weights.h5"] = 1000
    with pytest.raises(OSError, match="cut off"):
        weights_by_name.locate(published)
    (partial,) = (tmp_path / "cache").glob(".partial-*")
    (partial / "best.weights.h5").write_bytes(bytes(1000))
    with pytest.raises(ValueError, match="the same command fetches it again"):
        weights_by_name.locate(published)
    assert weights_by_name.locate(published).is_dir()


def test_other_weights_than_those_of_the_card_or_the_user(published, host, tmp_path):
    with pytest.raises(ValueError, match="expected --weights_sha256=0a0a"):
        weights_by_name.locate(published, "0a0a")
    assert "/tiny/best.weights.h5" not in [path for path, _ in host.asked]
    content = bytearray(host.files["/tiny/best.weights.h5"])
    content[-1] ^= 1
    host.files["/tiny/best.weights.h5"] = bytes(content)
    with pytest.raises(ValueError, match="its sha256 is"):
        weights_by_name.locate(published)
    assert cached(tmp_path) == []


def test_the_hash_is_verified_in_the_cache_and_of_files(published, tiny_run):
    path = weights_by_name.locate(published)
    with pytest.raises(ValueError, match="that of --weights_sha256 0a"):
        weights_by_name.locate(published, "0a")
    with pytest.raises(ValueError, match="that of --weights_sha256 0a"):
        weights_by_name.locate(str(tiny_run.weights), "0a")
    with (path / "best.weights.h5").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match="damaged or of another"):
        weights_by_name.locate(published)


def hostile_config(**changes):
    def change(content):
        return json.dumps(json.loads(content) | changes).encode()

    return change


@pytest.mark.parametrize(
    "name, change, words",
    [
        ("config.json", hostile_config(model="os:system"), "code that is not of"),
        ("config.json", hostile_config(model="./evil.py:SPEC"), "code that is not of"),
        ("config.json", hostile_config(run="x"), "unknown fields"),
        ("config.json", lambda _: b"cos\nsystem\n", "not a JSON file"),
        ("config.json", hostile_config(codeword_dim="6"), 'codeword_dim is "6", exp'),
        ("config.json", hostile_config(codeword_dim=None), "is null, expected int"),
        ("config.json", hostile_config(codeword_dim=10**9), "codeword_dim is 1,000,0"),
        ("config.json", lambda _: b"[" * 400_000, "not a JSON file"),
        ("config.json", hostile_config(model_args="[" * 400_000), "not JSON"),
        ("card.json", lambda _: b"[]", "expected a JSON object"),
        ("network.json", lambda _: b"{}", "an object with name"),
        ("network.json", lambda _: b"[]", "expected object"),
        ("network.json", hostile_config(own_sha256=[]), "own_sha256 is"),
        ("network.json", hostile_config(csi_shape=[65536, 65536, 2]), "csi_shape is"),
        ("network.json", hostile_config(csi_shape=[32, "32", 2]), "csi_shape.1 is"),
        ("network.json", hostile_config(csi_shape=[1, 1, 2]), "expected at most 2"),
        ("data.json", lambda _: b"{}", "an object with train"),
        ("data.json", lambda _: b"3", "expected object"),
        ("data.json", hostile_config(normalisation={"scale": 1}), "with constant"),
        ("card.json", lambda _: b" " * 2_000_000, "more than the 1,000,000 bytes"),
    ],
)
def test_hostile_files(published, host, tmp_path, name, change, words):
    host.files[f"/tiny/{name}"] = change(host.files[f"/tiny/{name}"])
    with pytest.raises(ValueError, match=words):
        weights_by_name.locate(published)
    assert cached(tmp_path) == []


def test_nothing_there(host, published):
    del host.files["/tiny/card.json"]
    with pytest.raises(OSError, match="card.json: 404"):
        weights_by_name.locate(published)
    with pytest.raises(OSError, match="cannot be reached"):
        weights_by_name.locate("http://127.0.0.1:9/nobody")


def elsewhere(file, secret):
    file["weights"] = h5py.ExternalLink(str(secret), "/w")


def soft(file, secret):
    file["weights"] = h5py.SoftLink("/anything")


def external_data(file, secret):
    file.create_dataset("w", (4,), "u1", external=[(str(secret), 0, 4)])


def within_itself(file, secret):
    file.create_group("a")["b"] = file["/"]


def unfolding(file, secret):
    file.create_dataset("w", (10**10,), "f4", chunks=(1000,), compression="gzip")


@pytest.mark.parametrize(
    "spoil", [elsewhere, soft, external_data, within_itself, unfolding]
)
def test_hdf5_that_is_more_than_weights(published, host, tmp_path, spoil):
    path = tmp_path / "bad.h5"
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["w"] = np.zeros(4)
    with h5py.File(path, "w") as file:
        spoil(file, secret)
    card = {"weights_sha256": files.sha256(path)}
    host.files["/tiny/card.json"] = json.dumps(card).encode()
    host.files["/tiny/best.weights.h5"] = path.read_bytes()
    with pytest.raises(ValueError, match="elsewhere|entries|unfold to"):
        weights_by_name.locate(published)
    assert cached(tmp_path) == []


@pytest.mark.parametrize("mark", ["SNOD", "TREE", "HEAP", "header"])
def test_a_damaged_hdf5_file(published, host, tmp_path, mark):
    path = tmp_path / "bad.h5"
    with h5py.File(path, "w") as file:
        file["group/w"] = np.zeros(4)
        place = h5py.h5o.get_info(file["group/w"].id).addr
    content = bytearray(path.read_bytes())
    place = place if mark == "header" else content.rindex(mark.encode())
    content[place : place + 4] = b"\xff" * 4
    card = {"weights_sha256": hashlib.sha256(content).hexdigest()}
    host.files["/tiny/card.json"] = json.dumps(card).encode()
    host.files["/tiny/best.weights.h5"] = bytes(content)
    with pytest.raises(ValueError, match="or damaged"):
        weights_by_name.locate(published)
    assert cached(tmp_path) == [] and not list((tmp_path / "cache").glob(".part*"))


def test_no_hdf5_at_all(tmp_path):
    path = tmp_path / "x.h5"
    path.write_text("cos\nsystem\n")
    with pytest.raises(ValueError, match="not an HDF5 file"):
        hdf5.check_weights(path)


def test_folders_and_names(tiny_run, tmp_path, monkeypatch):
    assert weights_by_name.locate(str(tiny_run.path)) == tiny_run.path
    named = weights_by_name.locate("crnet_indoor_16")
    assert named == weights_by_name.SHIPPED / "crnet_indoor_16"
    shutil.copytree(named, tmp_path / "weights" / "mine")
    shutil.copytree(named, tmp_path / "weights" / ".partial-other")  # of a kill
    monkeypatch.setattr(weights_by_name, "SHIPPED", tmp_path / "weights")
    assert list(weights_by_name.shipped()) == ["mine"]
    with (tmp_path / "weights" / "mine" / "best.weights.h5").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match="damaged"):
        weights_by_name.locate("mine")


def test_the_lists_name_them():
    (row,) = network_list.list_models("crnet")
    assert "crnet_indoor_16" in row["weights"]
    assert f"weights: {row['weights'][0]}" in network_list.render([row])
    cards = {card["name"]: card for card in network_list.info("crnet")["weights"]}
    card = cards["crnet_indoor_16"]
    assert card["nmse_db"] == pytest.approx(-13.74, abs=0.01)
    assert network_list.info("clnet")["weights"] == []
