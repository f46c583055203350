# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentence for builds that fail: real builds with this Python's pip, and outputs of other installers and of larger packages."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _build_errors

# A build backend of the standard library, so that nothing has to be fetched to see a build fail.
BACKEND = """
import os, signal, subprocess, sys
def get_requires_for_build_wheel(config_settings=None):
    return []
def build_wheel(folder, config_settings=None, metadata_directory=None):
    print("running bdist_wheel", flush=True)
    {code}
prepare_metadata_for_build_wheel = build_wheel
"""
UV = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")


def compiling(text):
    return "open('x.c', 'w').write(%r); subprocess.check_call(['cc', '-c', 'x.c', '-o', os.devnull])" % text


@pytest.mark.parametrize(
    "code, error, cure",
    [
        ("import torch_of_nowhere", "ModuleNotFoundError: No module named 'torch_of_nowhere'", "needs torch_of_nowhere while it is built"),
        ("subprocess.check_call(['/nowhere/nvcc'])", "No such file or directory: '/nowhere/nvcc'", "CUDA toolkit"),
        ("subprocess.check_call(['/nowhere/gcc'])", "No such file or directory: '/nowhere/gcc'", "build-essential"),
        ("subprocess.check_call(['/nowhere/cmake'])", "No such file or directory: '/nowhere/cmake'", "cmake"),
        ("raise OSError('CUDA_HOME environment variable is not set.')", "CUDA_HOME environment variable is not set", "'devel'"),
        (compiling("#include <cuda_runtime.h>"), "x.c:1:10: fatal error: cuda_runtime.h: No such file", "headers of CUDA"),
        (compiling("#include <Python.h>"), "x.c:1:10: fatal error: Python.h: No such file", "python3-dev"),
        (compiling("#include <zmq9.h>"), "x.c:1:10: fatal error: zmq9.h: No such file", "-dev package"),
        (compiling("int x = y;"), "x.c:1:9: error:", ""),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed", "more memory"),
        ("raise MemoryError", "was killed", "more memory"),
    ],
)
def test_a_build_that_fails_for_real(tmp_path, code, error, cure):
    assert shutil.which("cc"), "this test needs a C compiler"
    project = tmp_path / "flashy"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "flashy"\nversion = "1"\n'
    )
    (project / "backend.py").write_text(BACKEND.replace("{code}", code))
    # pip takes its time, so that it builds only every third.
    pip = len(cure) % 3 == 0
    if pip:
        command = [sys.executable, "-m", "pip", "install", "--no-index", "--target", str(tmp_path / "t"), str(project)]
    else:
        command = [UV, "pip", "install", "--offline", "--cache-dir", str(tmp_path / "cache"), "--target", str(tmp_path / "t"), str(project)]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    )
    assert ran.returncode
    said = _build_errors.sentence(ran.stderr + "\n" + ran.stdout, "venv" if pip else "uv", ["flashy"])
    assert said and said.startswith("the build of flashy "), ran.stderr + ran.stdout
    assert error in said and cure in said
    assert "\n" not in said and len(said) < 650


UNNAMED = """error: The build backend returned an error
  cause: Call to `setuptools.build_meta:__legacy__.get_requires_for_build_wheel` failed (exit status: 1)

         [stderr]
         Traceback (most recent call last):
           File "<string>", line 1, in <module>
         ModuleNotFoundError: No module named 'torch'
"""
OLD_UV = """  x Failed to build `flash-attn==2.7.4`
  |-> The build backend returned an error
  `-> Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)

      [stderr]
      Traceback (most recent call last):
        File "<string>", line 22, in <module>
      ModuleNotFoundError: No module named 'torch'

      hint: This error likely indicates that `flash-attn` depends on `torch`, but doesn't declare it as a build dependency.
"""
CONDA = """Installing pip dependencies: ...working... Pip subprocess error:
  error: subprocess-exited-with-error

  x Building wheel for mamba-ssm (pyproject.toml) did not run successfully.
  | exit code: 1
  `-> [3 lines of output]
      RuntimeError: The detected CUDA version (11.8) mismatches the version that was used to compile PyTorch (12.6).
      [end of output]

  ERROR: Failed building wheel for mamba-ssm
failed
CondaEnvException: Pip failed
"""
NINJA = """error: Failed to build `gsplat==1.0`
  cause: The build backend returned an error

         [stderr]
         FAILED: csrc/x.o
         /usr/local/cuda/bin/nvcc -c csrc/x.cu
         nvcc fatal   : Unsupported gpu architecture 'compute_120'
         ninja: build stopped: subcommand failed.
         Traceback (most recent call last):
         subprocess.CalledProcessError: Command '['ninja', '-v']' returned non-zero exit status 1.
         RuntimeError: Error compiling objects for extension
"""


@pytest.mark.parametrize(
    "output, local, start, cure",
    [
        (UNNAMED, ["flashy"], "the build of flashy failed: ModuleNotFoundError: No module named 'torch'.", "extra-build-dependencies"),
        (UNNAMED, ["a", "b"], "the build of one of a, b failed", "no-build-isolation-package"),
        (OLD_UV, [], "the build of flash-attn failed: ModuleNotFoundError", 'no-build-isolation-package = ["flash-attn"]'),
        (CONDA, [], "the build of mamba-ssm failed: RuntimeError: The detected CUDA version", "set python_env_torch"),
        (NINJA, [], "the build of gsplat failed: nvcc fatal : Unsupported gpu architecture", "too old for this GPU"),
    ],
)  # fmt: skip
def test_other_outputs(output, local, start, cure):
    said = _build_errors.sentence(output, "uv", local)
    assert said.startswith(start) and cure in said


def test_what_is_no_build_is_left_to_others():
    assert _build_errors.sentence("error: No solution found\n  cause: Because x was not found", "uv", []) is None
    assert _build_errors.fits_not("error: nothing of the kind") is None


@pytest.mark.parametrize(
    "output",
    [
        "cause: Because the current Python version (3.11.7) does not satisfy Python>=3.99 and newpy==1 depends on it",
        "ERROR: Package 'newpy' requires a different Python: 3.11.7 not in '>=3.99'",
        "Because oldpy==1.0 has no wheels with a matching\n  │     Python ABI tag (e.g., `cp311`)",
    ],
)
def test_a_python_that_does_not_fit(output):
    assert "python_env_python" in _build_errors.fits_not(output)


@pytest.mark.parametrize(
    "output",
    [
        "Because macwheel==1.0 has no wheels with a matching platform tag",
        "ERROR: macwheel-1.0-cp311-cp311-macosx_11_0_arm64.whl is not a supported wheel on this platform.",
        "cause: A path (w/x.whl) dependency is incompatible with the current platform",
    ],
)
def test_a_machine_that_does_not_fit(output):
    assert "no build of it for this machine" in _build_errors.fits_not(output)


def test_no_word_of_our_own_is_evidence():
    """The sentences name programs and settings; a sentence that is read again must not look like another failure."""
    text = pathlib.Path(_build_errors.__file__).read_text(encoding="utf-8")
    cures = [cure for _pattern, cure in _build_errors._CURES]
    assert len(cures) > 10 and text
    assert not [cure for cure in cures if _build_errors.happened(cure)]
