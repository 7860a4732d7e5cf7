"""Published files from a local HTTP server: checked, resumed, refused."""

from __future__ import annotations

import hashlib
import http.server
import threading
from pathlib import Path

import pytest

from tests.conftest import assert_one_line_error, run_command
from tests.tfds_builders.test_cost2100 import write_scenario
from tfds_builders import build, fetching, locks
from tfds_builders.cost2100 import download
from tfds_builders.cost2100.cost2100_dataset_builder import Builder


class Handler(http.server.BaseHTTPRequestHandler):
    """Files of `server.folder`, from a byte on where that is asked for."""

    def do_GET(self):
        path = self.server.folder / Path(self.path).name
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.server.asked.append((path.name, start))
        if not path.exists():
            self.send_error(404)
            return
        content = path.read_bytes()[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content)))
        if self.server.place:
            self.send_header("Content-Range", self.server.place)
        self.end_headers()
        self.wfile.write(content[: self.server.most])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves files of both scenarios, whose sizes and hashes are the published ones."""
    folder = write_scenario(tmp_path / "published", "in", "v7")
    write_scenario(folder, "out", "v7.3", seed=50)
    known = {
        path.name: {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in folder.iterdir()
    }
    assert known.keys() == download.PUBLISHED.keys()
    monkeypatch.setattr(download, "PUBLISHED", known)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.folder, server.most, server.asked = folder, None, []
    server.place = ""
    server.url = f"http://127.0.0.1:{server.server_port}/files/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def prepare(server, tmp_path, config="indoor") -> Builder:
    builder = build.find_builder(f"cost2100/{config}", str(tmp_path / "tfds"))
    build.prepare(builder, download=server.url)
    return builder


@pytest.mark.parametrize(("config", "suffix"), [("indoor", "in"), ("outdoor", "out")])
def test_the_files_of_a_scenario_are_fetched(server, tmp_path, capsys, config, suffix):
    builder = prepare(server, tmp_path, config)
    assert builder.info.splits["train"].num_examples == 7
    assert {name for name, _ in server.asked} == set(builder.file_names)
    assert all(suffix in name for name, _ in server.asked)
    assert len(server.asked) == 4  # each once, and not by TFDS again
    assert "is for you to check" in capsys.readouterr().out
    manual = tmp_path / "tfds" / "downloads" / "manual"
    names = {path.name for path in manual.iterdir()}
    assert names == set(builder.file_names)


def test_a_broken_download_is_resumed(server, tmp_path):
    server.most = 5000
    with pytest.raises(OSError, match="what has arrived is kept, start again") as error:
        prepare(server, tmp_path)
    assert str(tmp_path / "tfds") in str(error.value)
    name = "DATA_Htrainin.mat"
    assert download.PUBLISHED[name]["sha256"] in str(error.value)
    part = tmp_path / "tfds/downloads/manual" / f"{name}.part"
    assert part.stat().st_size == 5000
    server.most = None
    server.asked.clear()
    assert prepare(server, tmp_path).info.splits["test"].num_examples == 4
    assert server.asked[0] == (name, 5000) and server.asked[1][1] == 0
    assert not part.exists()


@pytest.mark.parametrize("extra", [100, 0, None])
def test_what_is_no_beginning_of_the_file_is_fetched_again(server, tmp_path, extra):
    name = "DATA_Htrainin.mat"
    manual = tmp_path / "tfds/downloads/manual"
    manual.mkdir(parents=True)
    content = (server.folder / name).read_bytes()
    left = content if extra is None else bytes(len(content) + extra)
    (manual / f"{name}.part").write_bytes(left)
    download.fetch(server.url.rstrip("/"), [name], manual)
    assert (manual / name).read_bytes() == content
    assert server.asked == ([] if extra is None else [(name, 0)])


def test_two_at_once_fetch_a_file_once(server, tmp_path):
    name = "DATA_Htrainin.mat"
    fetch = lambda: download.fetch(server.url.rstrip("/"), [name], tmp_path)  # noqa: E731
    with locks.alone(tmp_path):
        others = [threading.Thread(target=fetch) for _ in range(2)]
        for other in others:
            other.start()
        others[0].join(0.2)
        assert not server.asked
    for other in others:
        other.join()
    assert server.asked == [(name, 0)]
    assert (tmp_path / name).exists()


def test_an_answer_from_another_place_and_a_longer_one_are_refused(server, tmp_path):
    name, target = "DATA_Htrainin.mat", tmp_path / "file"
    target.write_bytes(b"12345")
    server.place = "bytes 0-9/10"
    with pytest.raises(OSError, match="got bytes 0-9/10, asked for the bytes from 5"):
        fetching.fetch_rest(f"{server.url}{name}", target, 10**6)
    assert target.read_bytes() == b"12345"
    target.unlink()
    with pytest.raises(ValueError, match="more than the 100 bytes allowed"):
        fetching.fetch_rest(f"{server.url}{name}", target, 100)
    assert not target.exists()


def test_data_that_are_there_are_compared(server, tmp_path, capsys, monkeypatch):
    prepare(server, tmp_path)
    server.asked.clear()
    prepare(server, tmp_path)
    assert "is there, nothing is fetched" in capsys.readouterr().out
    assert not server.asked
    known = {name: x | {"sha256": "0"} for name, x in download.PUBLISHED.items()}
    monkeypatch.setattr(download, "PUBLISHED", known)
    with pytest.raises(ValueError, match="was made of DATA_Htrainin.mat with SHA"):
        prepare(server, tmp_path)


def test_other_content_is_refused(server, tmp_path):
    path = server.folder / "DATA_Hvalin.mat"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="DATA_Hvalin.mat: .* bytes with SHA-256"):
        prepare(server, tmp_path)
    manual = tmp_path / "tfds/downloads/manual"
    assert [x.name for x in manual.iterdir()] == ["DATA_Htrainin.mat"]
    (manual / "DATA_Hvalin.mat").write_bytes(content)  # as if it lay there before
    with pytest.raises(ValueError, match="a file in .* is not the published one"):
        prepare(server, tmp_path)


def test_without_a_network_folder_and_hashes_are_named(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match="refused.*put these files into") as error:
        prepare(server, tmp_path)
    assert str(tmp_path / "tfds/downloads/manual") in str(error.value)
    for name in ("DATA_Htrainin.mat", "DATA_HtestFin_all.mat"):
        assert f"{name} (" in str(error.value)
        assert download.PUBLISHED[name]["sha256"] in str(error.value)


def test_the_command(tmp_path):
    flags = ["--download=http://127.0.0.1:9/x", f"--data_dir={tmp_path}"]
    done = run_command("tfds_builders.build", "cost2100/indoor", *flags)
    hash_of_train = "db9d232fc347178c596653a8c0402956517353fbfa1d6d0eae8041cb3c95e2c2"
    assert_one_line_error(done, "DATA_Htrainin.mat", hash_of_train, "start again")
    assert done.stdout.count("is for you to check") == 1
    done = run_command("tfds_builders.build", "cost2100_sim/indoor_tiny", *flags)
    assert_one_line_error(done, "--download=http://127.0.0.1:9/x: only cost2100")


def test_addresses():
    hub = "https://huggingface.co/datasets/CsiCoGen/COST2100/resolve/"
    assert download.base_url("CsiCoGen/COST2100") == f"{hub}main"
    assert download.base_url("CsiCoGen/COST2100@c2607f8") == f"{hub}c2607f8"
    assert download.base_url("https://a.b/c/") == "https://a.b/c"
    with pytest.raises(ValueError, match="--download=elsewhere: expected the address"):
        download.base_url("elsewhere")
