"""`l2l fetch_weights`: on a machine with a network, checksummed, through proxies."""

import hashlib
import http.server
import threading
import urllib.request

import pytest
import torch
import yaml
from workflow_runs import ROOT, TINY

from l2l.__main__ import main
from l2l.config import read_config
from l2l.tools import fetch_weights as module
from l2l.tools.fetch_weights import wanted_weights
from l2l.weights import published_state

CONTENT = b"the numbers of a network"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = f"network-{SHA256[:8]}.pth"


@pytest.fixture
def proxy(monkeypatch):
    """A proxy that has the file of any host; the paths that it was asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *_):
            """Nothing is logged."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr(urllib.request, "_opener", None)  # it reads the variables once
    yield asked
    server.shutdown()


@pytest.fixture
def wanted(tmp_path, monkeypatch):
    """A configuration's only weights: a file of a host that is reached by the proxy alone."""
    url = f"http://weights.invalid/{FILE}"
    each = module.Wanted("teacher.weights", "A_V1", url, SHA256[:8], tmp_path / "cache" / FILE)
    monkeypatch.setattr(module, "wanted_weights", lambda config: iter([each]))
    return each


def test_a_file_is_fetched_through_the_proxy_once_and_compared(wanted, proxy, capsys):
    assert main(["fetch-weights", "--configfile", str(TINY)]) == 0
    assert wanted.path.read_bytes() == CONTENT
    assert proxy == [wanted.url]
    assert capsys.readouterr().out == f"teacher.weights: A_V1: {wanted.path}\n"
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 0
    assert "is there" in capsys.readouterr().out
    assert len(proxy) == 1


def test_another_file_than_the_published_one_is_refused_and_not_kept(
    wanted, proxy, monkeypatch, capsys
):
    other = wanted._replace(sha256="0" * 8)
    monkeypatch.setattr(module, "wanted_weights", lambda config: iter([other]))
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "could not be downloaded (invalid hash value" in line
    assert not other.path.exists()
    other.path.write_bytes(b"mine")
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 1
    assert "move it away" in capsys.readouterr().err
    assert other.path.read_bytes() == b"mine"


def test_a_node_without_a_network_is_answered_with_where_to_fetch(wanted, monkeypatch, capsys):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setattr(urllib.request, "_opener", None)
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"fetch {wanted.url} to {wanted.path}" in line


def test_the_weights_of_the_papers_configuration_are_those_that_jobs_load(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    files = [ROOT / "workflow/configs" / name for name in ("paper.yaml", "activitynet.yaml")]
    names = {each.key: each.path.name for each in wanted_weights(read_config(*files))}
    assert names == {
        "teacher.weights": "r2plus1d_18-91a641e6.pth",
        "student.undistilled_image_weights": "resnet18-f37072fd.pth",
    }
    assert torch.hub.get_dir() == str(tmp_path / "hub")
    assert list(wanted_weights(read_config(TINY))) == []


def test_a_file_that_a_key_names_is_fetched_to_where_it_is_named(tmp_path):
    values = yaml.safe_load(TINY.read_text())
    del values["student"]["audio_widths"]
    values["student"] |= {"audio_network": "efficientat_mn04", "audio_weights": str(tmp_path / "w")}
    values["mels"] = {"spectrogram": "efficientat"}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    (each,) = wanted_weights(read_config(tmp_path / "c.yaml"))
    assert (each.path, len(each.sha256)) == (tmp_path / "w", 64)
    assert each.url.startswith("https://")


def test_a_job_without_a_network_names_the_verb(monkeypatch):
    import torchvision

    def offline(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", offline)
    with pytest.raises(Exception, match="run l2l fetch_weights --configfile FILE"):
        published_state(
            "student.image_weights",
            "IMAGENET1K_V1",
            torchvision.models.ResNet18_Weights,
            "resnet18",
        )
