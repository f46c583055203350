# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import threading
import zipfile

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _uv

NAMES = [
    "uv-1.2.3-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "uv-1.2.3-py3-none-musllinux_1_1_x86_64.whl",
    "uv-1.2.3-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
    "uv-1.2.3-py3-none-win_amd64.whl",
    "uv-1.2.3.tar.gz",
    "uv-1.2.30-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
]


@pytest.mark.parametrize("machine, glibc, index", [("x86_64", True, 0), ("x86_64", False, 1), ("aarch64", True, 2), ("aarch64", False, 2)])
def test_the_wheel_of_a_machine(machine, glibc, index):
    assert _uv.choose(NAMES, "1.2.3", machine, glibc) == NAMES[index]


def test_a_machine_without_wheel():
    with pytest.raises(ValueError, match="riscv64"):
        _uv.choose(NAMES, "1.2.3", "riscv64", True)


@pytest.fixture
def index():
    """A package index on a socket; what it serves can be changed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        wheel.writestr("uv-1.2.3.data/scripts/uv", "#!/bin/sh\necho uv 1.2.3\n")
    served = {"wheel": content.getvalue(), "sha256": hashlib.sha256(content.getvalue()).hexdigest(), "json": True}
    name = "uv-1.2.3-py3-none-manylinux_2_17_x86_64.musllinux_1_1_aarch64.whl"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.endswith(".whl"):
                return self.answer("application/octet-stream", served["wheel"])
            if self.path != "/simple/uv/":
                return self.send_error(404)
            if served["json"]:
                files = [{"filename": name, "url": "../../files/" + name, "hashes": {"sha256": served["sha256"]}}]
                return self.answer("application/vnd.pypi.simple.v1+json", json.dumps({"files": files}).encode())
            return self.answer("text/html", ('<a href="../../files/%s#sha256=%s">it</a>' % (name, served["sha256"])).encode())

        def answer(self, kind, body):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
    served["url"] = "http://127.0.0.1:%d/simple" % server.server_port
    yield served
    server.shutdown()
    server.server_close()


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A host without pip and without any configured index."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_uv, "_with_pip", _no_pip)
    return str(tmp_path)


def _no_pip(_version, _target):
    raise OSError("no pip here")


@pytest.mark.parametrize("kind", ["json", "html"])
def test_fetched_from_an_index_and_runs(index, bare, kind):
    index["json"] = kind == "json"
    path, how = _uv.fetch(bare, "1.2.3", index["url"])
    assert how == "from the package index"
    assert _uv.version_of(path) == "1.2.3"
    assert os.listdir(os.path.dirname(path)) == ["uv"]
    assert _uv.find([path]) == path


def test_a_wrong_digest_is_refused_and_leaves_nothing(index, bare):
    index["sha256"] = "0" * 64
    with pytest.raises(_uv.Unobtainable, match="SHA-256"):
        _uv.fetch(bare, "1.2.3", index["url"])
    assert os.listdir(os.path.dirname(_uv.place(bare, "1.2.3"))) == []


def test_no_index_at_all_says_what_was_tried(bare):
    with pytest.raises(_uv.Unobtainable, match=r"package index: .*; pip: no pip here"):
        _uv.fetch(bare, "1.2.3", "http://127.0.0.1:9/simple")


def test_the_hosts_own_index_comes_first(index, bare):
    folder = os.path.join(bare, ".config", "pip")
    os.makedirs(folder)
    with open(os.path.join(folder, "pip.conf"), "w") as handle:
        handle.write("[global]\nindex-url = %s\n" % index["url"])
    assert _uv.fetch(bare, "1.2.3", "http://127.0.0.1:9/simple")[1] == "from the package index"


def test_an_old_uv_is_not_good_enough(tmp_path):
    old = tmp_path / "uv"
    old.write_text("#!/bin/sh\necho uv 0.1.0\n")
    old.chmod(0o755)
    assert _uv.find([str(old), str(tmp_path / "none")]) is None


# Recorded: uv 0.13.8, an older uv's drawing, pip 26.
UNSOLVABLE = """Using Python 3.11.7 environment at: e1
error: No solution found when resolving dependencies
  cause: Because there is no version of six==99 and you require six==99, we can conclude that your requirements are unsatisfiable.
"""
DRAWN = """  × No solution found when resolving dependencies:
  ╰─▶ Because nosuch was not found in the package
      registry and you require nosuch, we can conclude that your
      requirements are unsatisfiable.

      hint: something else
"""
TORCH = """error: Request failed after 3 retries in 7.9s
  cause: Failed to fetch: https://download.example.org/whl/cpu/torch/
  cause: error sending request for url (https://download.example.org/whl/cpu/torch/)
  cause: client error (Connect)
  cause: dns error
"""
PIP = """ERROR: Could not find a version that satisfies the requirement nosuch (from versions: none)
ERROR: No matching distribution found for nosuch
"""


@pytest.mark.parametrize(
    "output, sentence",
    [
        (
            UNSOLVABLE,
            "Because there is no version of six==99 and you require six==99, we can conclude that your requirements are unsatisfiable.",
        ),
        (
            DRAWN,
            "Because nosuch was not found in the package registry and you require nosuch, "
            "we can conclude that your requirements are unsatisfiable.",
        ),
        (PIP, "No matching distribution found for nosuch."),
        ("error: Extra `x` is not defined\n", "Extra `x` is not defined."),
        ("", "it said nothing."),
    ],
)
def test_the_cause_in_one_sentence(output, sentence):
    assert _uv.cause(output) == sentence


def test_kinds_of_failure_are_told_apart():
    assert _uv.torch_index_unreachable(TORCH)
    assert _uv.unreachable(TORCH)
    assert not _uv.torch_index_unreachable(TORCH.replace("/whl/cpu/", "/simple/"))
    assert not _uv.unreachable(UNSOLVABLE)
    assert _uv.no_space("failed to copy: No space left on device (os error 28)")
    assert not _uv.unreachable("error sending request\nNo space left on device")
