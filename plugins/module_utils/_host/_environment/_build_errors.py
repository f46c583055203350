# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a failed build of a package really said: the package, the innermost error in the output of its build, and the way out.

uv, pip and conda wrap what the build backend printed. The forms are those of uv 0.7 to 0.13, of pip 23 to 26, and of conda's pip step.
"""

from __future__ import annotations

import re

_PACKAGE = (
    r"Failed to (?:download and )?build `([^`]+)`",
    r"Failed to prepare distributions.*?Failed to (?:fetch|build)[^`]*`([^`]+)`",
    r"Failed building (?:wheel|editable) for ([^\s]+)",
    r"ERROR: Failed to build '([^']+)'",
    r"Failed to build installable wheels[^\n]*\n\s*╰─>\s*([^\n]+)",
    r"Building (?:wheel|editable) for ([^\s]+) \([^)]*\)[^\n]*finished with status 'error'",
    r"× Building (?:wheel|editable) for ([^\s]+) ",
)
_HAPPENED = re.compile(
    r"build backend returned an error|Failed to build|subprocess-exited-with-error|Failed building|did not run successfully"
    r"|Failed to build installable wheels|Pip subprocess error"
)
_EXCEPTION = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?[A-Za-z_]\w*(?:Error|Exception|Exit|Failed|Failure|Interrupt|NotFound)\b(?::.*)?$")
# What a compiler says; the line after which all the rest is a consequence.
_COMPILER = re.compile(
    r"(?:fatal error|nvcc fatal\s*|\berror):|^CMake Error|undefined reference|cannot find -l|ninja: error|collect2: error"
)
_CONSEQUENCE = re.compile(
    r"^(?:error: (?:command|subprocess|legacy-install|metadata-generation|failed-wheel)|error: Command ')|returned non-zero exit status"
    r"|exited with code|ninja: build stopped|Error compiling objects|compilation terminated"
)
_KILLED = re.compile(
    r"signal: 9\b|SIGKILL|exit (?:code|status): -9\b|exit code: 137\b|Killed signal terminated program|^Killed$|MemoryError", re.M
)
_NO_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named ['\"]?([\w.]+)")
_LIMIT = 300


def happened(output: str) -> bool:
    """Whether the output is of a build that failed, as opposed to a package that is not to be had."""
    return bool(_HAPPENED.search(output))


def package(output: str) -> str | None:
    """The name of the package whose build failed; None where the installer did not say it."""
    for pattern in _PACKAGE:
        found = re.search(pattern, output, re.S if "Failed to prepare" in pattern else 0)
        if found:
            return _name(found.group(1))
    return None


def _name(text: str) -> str:
    """The name in "x @ file:///a/x", "x==1.0" or "file:///a/x"."""
    text = text.strip().rstrip(".,")
    if text.startswith("file:"):
        return text.rstrip("/").rsplit("/", 1)[-1]
    return re.split(r"\s*@\s|==|\s", text, maxsplit=1)[0]


def innermost(output: str) -> str | None:
    """The line of the build's own output that says why it failed."""
    lines = _said(output)
    compiler = [line for line in lines if _COMPILER.search(line) and not _CONSEQUENCE.search(line) and not _EXCEPTION.match(line)]
    if compiler:
        return _short(compiler[0])
    exceptions = [line for line in lines if _EXCEPTION.match(line) and not _CONSEQUENCE.search(line)]
    if exceptions:
        return _short(exceptions[-1])
    rest = [line for line in lines if re.match(r"(?i)error\b", line)] or lines[-1:]
    return _short(rest[-1]) if rest else None


def _said(output: str) -> list:
    """The lines that the build printed, without what uv or pip drew around them."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", output)
    block = re.findall(r"\[stderr\]\s*\n(.*?)(?=\n\s*\n(?:hint|help|error|\s*$)|\n(?:hint|help):|\Z)", text, re.S)
    if not block:
        block = re.findall(r"\[\d+ lines of output\]\s*\n(.*?)\n\s*\[end of output\]", text, re.S)
    if not block:
        block = re.findall(r"\[stdout\]\s*\n(.*?)(?=\n\s*\n(?:hint|help)|\Z)", text, re.S)
    return [line.strip() for part in block[-1:] for line in part.splitlines() if line.strip() and not set(line.strip()) <= set("^~|")]


def _short(line: str) -> str:
    line = re.sub(r"\s+", " ", line).strip()
    return line if len(line) <= _LIMIT else line[:_LIMIT] + " ..."


def way_out(output: str, name: str, manager: str) -> str:
    """What to do about it; empty where the error itself has to do."""
    said = "\n".join(_said(output))
    missing = _NO_MODULE.search(said)
    if missing:
        return _needs_module(missing.group(1).split(".")[0], name, manager)
    if re.search(
        r"torch is not (?:installed|available)|requires? (?:that )?torch\b.*\b(?:build|install)|[Pp]lease install (?:py)?torch", said
    ):
        return _needs_module("torch", name, manager)
    for pattern, sentence in _CURES:
        if re.search(pattern, said):
            return sentence.format(name=name)
    return ""


def _needs_module(module: str, name: str, manager: str) -> str:
    if manager == "uv":
        return (
            f"{name} needs {module} while it is built and does not declare it. In pyproject.toml, set "
            f"[tool.uv.extra-build-dependencies] {name} = "
            f'["{module}"]; or install {module} in a first run, and set [tool.uv] no-build-isolation-package = '
            f'["{name}"]. A package of your own declares '
            "it in its [build-system] requires."
        )
    return (
        f"{name} needs {module} while it is built and does not declare it, and pip builds it where {module} is not: "
        "use python_env_manager uv with "
        f'[tool.uv] no-build-isolation-package = ["{name}"] in pyproject.toml and a first run without it, or name a '
        "wheel of it. A package "
        "of your own declares it in its [build-system] requires."
    )


_CURES = (
    (
        r"nvcc fatal.*Unsupported gpu architecture",
        "The host's CUDA toolkit is too old for this GPU, or TORCH_CUDA_ARCH_LIST asks for one that it does not know.",
    ),
    (
        r"detected CUDA version .* mismatches the version that was used to compile|CUDA version mismatch",
        "The CUDA toolkit on the host is not the one that torch was built with: set python_env_torch to the toolkit's version, such as "
        "cu126, or rent an image with the other toolkit.",
    ),
    (
        r"CUDA_HOME environment variable is not set|CUDA_HOME is not set|nvcc(?:\d*)? ?(?:was )?not found|No such file or directory: "
        r"'(?:[^']*/)?nvcc\d*'|nvcc: not found|Failed to find nvcc|No CUDA toolset found|Could not find CUDA|CUDA_TOOLKIT_ROOT_DIR",
        "{name} compiles CUDA code and the host has no CUDA toolkit (nvcc): rent an image whose name says 'devel' (such as "
        "nvidia/cuda:*-devel), set CUDA_HOME if it has one, or name a wheel of {name} that is built for this torch and CUDA.",
    ),
    (
        r"fatal error: (?:cuda|cublas|cudnn|nccl|curand|cusparse|cusolver|nvrtc|thrust|cub|cooperative)[\w/]*\.\w+: No such file",
        "The headers of CUDA are not on the host: rent an image whose name says 'devel' (such as nvidia/cuda:*-devel), or name a wheel of "
        "{name}.",
    ),
    (
        r"fatal error: Python\.h: No such file",
        "The headers of this Python are missing: add python3-dev to ready_packages, or set python_env_python so that uv brings a Python "
        "of its own.",
    ),
    (
        r"No such file or directory: '(?:[^']*/)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+|x86_64-linux-gnu-g(?:cc|\+\+))'"
        r"|unable to execute '?(?:[^\s']*/)?(?:gcc|g\+\+|cc|c\+\+|clang)"
        r"|command '?(?:[^\s']*/)?(?:gcc|g\+\+|cc|c\+\+|clang|[\w-]*-gcc)'? failed: No such"
        r"|Unknown compiler\(s\)|No CMAKE_CX*\+*_COMPILER|No CMAKE_C(?:XX)?_COMPILER could be found|no acceptable C compiler|"
        r"command '?(?:gcc|g\+\+|cc|c\+\+)'? not found",
        "The host has no compiler: add build-essential to ready_packages.",
    ),
    (r"can't find Rust compiler|cargo.*(?:not found|not installed)|rustc.*not found|No such file or directory: '(?:rustc|cargo|maturin)'",
     "{name} is written in Rust and the host has no Rust compiler: add cargo to ready_packages, or name a version that has a wheel."),
    (
        r"CMake must be installed|No such file or directory: '(?:[^']*/)?(?:cmake|ninja)'|cmake: (?:command )?not found|inja is required",
        "The host has no CMake or ninja: add cmake and ninja-build to ready_packages.",
    ),
    (r"No such file or directory: '(?:[^']*/)?git'|git: (?:command )?not found", "The host has no git: add git to ready_packages."),
    (
        r"cannot find -l|fatal error: [^\s:]+\.h(?:pp|h)?: No such file|[Pp]ackage '?\S+'? .*(?:was not found|not found) in the pkg-config|"
        r"pkg-config.*not found",
        "A library that {name} is built against is not on the host: add its -dev package to ready_packages.",
    ),
    (
        r"Multiple top-level (?:packages|modules) discovered",
        "setuptools does not guess which folder is the package: name it in [tool.setuptools] packages or py-modules of pyproject.toml, or "
        "take the [build-system] table out if the project is not a package.",
    ),
    (
        r"setuptools-scm was unable to detect version|unable to detect version for|LookupError: .*version",
        "The version comes from git tags, and none was sent: send the repository with its tags, or set SETUPTOOLS_SCM_PRETEND_VERSION.",
    ),
    (
        r"No module named 'distutils'|has no attribute 'ImpImporter'|use_2to3|AttributeError: .*'(?:configparser|pkgutil)'.*|"
        r"Cannot import 'setuptools\.build_meta'|cython_sources",
        "{name} is too old for this Python: set python_env_python to an older one, such as '3.10', or name a newer {name}.",
    ),
)  # fmt: skip


def sentence(output: str, manager: str, local: list) -> str | None:
    """One sentence for a failed build, and one for the way out; None when no build failed.

    ``local``: the names of the packages that lie on the host, for the installers that do not say which one it was.
    """
    if not happened(output):
        return None
    name = package(output) or (local[0] if len(local) == 1 else None)
    if _KILLED.search(output):
        return (
            f"the build of {name or 'a package'} was killed, which the system does when memory runs out. Rent an "
            "instance with more memory, or build with fewer jobs at a time (MAX_JOBS=2 in the host's ~/.profile)."
        )
    inner = innermost(output)
    if not inner:
        return None
    if not name:
        name = f"one of {', '.join(local[:4])}" if local else "a package"
    cure = way_out(output, name, manager)
    return f"the build of {name} failed: {inner.rstrip('.')}.{' ' + cure if cure else ''}"


def fits_not(output: str) -> str | None:
    """The way out when a package has nothing for this Python or this platform; None for other failures."""
    flat = re.sub(r"\s+", " ", re.sub(r"[│╰─▶├×]", " ", output))
    if re.search(r"requires a different Python|current Python version \([\d.]+\) does not satisfy|no wheels with a matching Python"
                 r"|Requires-Python|no matching Python ABI|[Rr]equires-python", flat):  # fmt: skip
        return "Set python_env_python to a version that it supports, or ask for another version of the package."
    if re.search(
        r"no wheels with a matching platform|incompatible with the current platform|not a supported wheel on this platform"
        r"|no matching platform tag|no wheels are available for your (?:system|platform)|has no (?:usable )?wheels",
        flat,
    ):
        return (
            "There is no build of it for this machine and Python: ask for another version, set python_env_python, or name it with its "
            "source."
        )
    return None
