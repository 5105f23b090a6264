"""`l2l fetch_weights`: on a machine with a network, checksummed, resumed, through proxies."""

import fcntl
import hashlib
import http.server
import re
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


class Proxy:
    """A proxy that has the file of any host.

    Attributes:
        asked: the address and the range of each request.
        content: of the file.
        breaks: of each answer to come, after how many bytes its connection ends.
        gives_ranges: whether it sends a part of a file, or the whole file always.
    """

    def __init__(self):
        self.asked, self.content, self.breaks, self.gives_ranges = [], CONTENT, [], True

    def answer(self, request):
        span = request.headers["Range"]
        self.asked.append((request.path, span))
        start = int(re.fullmatch(r"bytes=(\d+)-", span)[1]) if span and self.gives_ranges else 0
        if start and start >= len(self.content):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        if start:
            last, length = len(self.content) - 1, len(self.content)
            request.send_header("Content-Range", f"bytes {start}-{last}/{length}")
        content = self.content[start:]
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[: self.breaks.pop(0)] if self.breaks else content)


@pytest.fixture
def proxy(monkeypatch):
    """A proxy that the environment names."""
    proxy = Proxy()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            proxy.answer(self)

        def log_message(self, *_):
            """Nothing is logged."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr(urllib.request, "_opener", None)  # it reads the variables once
    yield proxy
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
    assert proxy.asked == [(wanted.url, None)]
    assert [path.name for path in wanted.path.parent.iterdir()] == [FILE]
    assert capsys.readouterr().out == f"teacher.weights: A_V1: {wanted.path}\n"
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 0
    assert "is there" in capsys.readouterr().out
    assert len(proxy.asked) == 1


def test_a_connection_that_breaks_is_opened_again_where_it_ended(wanted, proxy):
    proxy.breaks = [7, 5]
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 0
    assert wanted.path.read_bytes() == CONTENT
    assert [span for _, span in proxy.asked] == [None, "bytes=7-", "bytes=12-"]


def test_another_call_goes_on_with_what_an_earlier_one_kept(wanted, proxy, capsys):
    proxy.breaks = [7, 0]
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "(the connection ended 17 bytes before the end of the file; 7 bytes are kept)" in line
    assert "http_proxy, for a network behind a proxy, is set; run this again" in line
    assert not wanted.path.exists()
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 0
    assert wanted.path.read_bytes() == CONTENT
    assert proxy.asked[-1] == (wanted.url, "bytes=7-")


def test_a_server_that_gives_no_ranges_sends_the_whole_file_again(wanted, proxy):
    proxy.gives_ranges, proxy.breaks = False, [7, 9]
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 0
    assert wanted.path.read_bytes() == CONTENT
    assert len(proxy.asked) == 3


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        (CONTENT, []),  # ended before it was renamed
        (CONTENT + b"more", ["bytes=28-", None]),
        (b"", [None]),
    ],
)
def test_what_is_kept_may_be_whole_or_longer_than_the_file(wanted, proxy, kept, asked):
    wanted.path.parent.mkdir()
    (wanted.path.parent / f"{FILE}.part").write_bytes(kept)
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 0
    assert wanted.path.read_bytes() == CONTENT
    assert [span for _, span in proxy.asked] == asked


def test_a_file_that_changed_meanwhile_is_known_by_its_checksum(wanted, proxy, capsys):
    wanted.path.parent.mkdir()
    (wanted.path.parent / f"{FILE}.part").write_bytes(b"another")
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{wanted.url}: downloaded 24 bytes with sha256 " in line
    assert f"expected sha256 {SHA256[:8]}...; they were not kept: run this again" in line
    assert list(wanted.path.parent.iterdir()) == []
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 0


def test_two_processes_do_not_write_one_file(wanted, proxy, capsys):
    wanted.path.parent.mkdir()
    with open(wanted.path.parent / f"{FILE}.part", "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert main(["fetch_weights", "--configfile", str(TINY)]) == 1
    assert "another process downloads it now" in capsys.readouterr().err
    assert proxy.asked == []


def test_a_page_that_is_not_there_is_named(wanted, proxy, monkeypatch, capsys):
    monkeypatch.setattr(Proxy, "answer", lambda self, request: request.send_error(404))
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 1
    assert "could not be downloaded (HTTP Error 404: Not Found): " in capsys.readouterr().err


def test_another_file_than_the_published_one_is_refused_and_not_kept(
    wanted, proxy, monkeypatch, capsys
):
    other = wanted._replace(sha256="0" * 8)
    monkeypatch.setattr(module, "wanted_weights", lambda config: iter([other]))
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected sha256 00000000...; they were not kept" in line
    assert list(other.path.parent.iterdir()) == []
    other.path.write_bytes(b"mine")
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 1
    assert "move it away" in capsys.readouterr().err
    assert other.path.read_bytes() == b"mine"


def test_a_node_without_a_network_is_answered_with_where_to_fetch(wanted, monkeypatch, capsys):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setattr(urllib.request, "_opener", None)
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "Connection refused): http_proxy, for a network behind a proxy, is set; " in line
    assert line.endswith(f"or fetch {wanted.url} to {wanted.path}")
    monkeypatch.delenv("http_proxy")
    monkeypatch.setattr(urllib.request, "_opener", None)
    assert main(["fetch_weights", "--configfile", str(TINY)]) == 1
    assert "http_proxy, for a network behind a proxy, is not set; " in capsys.readouterr().err


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
