# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same preparation of a host done by four rivals, side by side, in one run: seconds, remote executions, memory, ratios.

ours      playbooks/bootstrap.yml; the repository is pushed from the controller
bash      one ``ssh host bash -s``: the script that many people keep, made to work
plain     a hand-written playbook of stock modules, one step per task; "pipelined" is the same with Ansible's pipelining on
pyinfra   the same as a pyinfra deploy

Each rival gets a fresh box for its fresh run, is checked for what it left there, and repeats on the same box. Every run
logs in anew. Hosts are rehearsal boxes behind a proxy that delays each direction by half the round trip.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RIVALS = HERE / "rivals"
sys.path.insert(0, str(ROOT / ".collections"))

from _boxes import Box
from _memory import MARK, Peak
from _report import Results, replace_part

from ansible_collections.rented.gpu.plugins.module_utils._providers.rehearsal import RehearsalProvider

BIN = pathlib.Path(sys.executable).parent
BENCH = ROOT / ".venv-bench"
TITLES = {
    "ours": "rented.gpu.bootstrap",
    "bash": "bash script",
    "plain": "plain playbook",
    "pipelined": "plain playbook, pipelined",
    "pyinfra": "pyinfra",
}
REQUIREMENTS = ["numpy", "pandas", "matplotlib", "scikit-learn", "requests", "tqdm"]
TRAIN = """from importlib import import_module, metadata

wanted = {line.strip().lower() for line in open("requirements.txt") if line.strip()}
for module, names in metadata.packages_distributions().items():
    if wanted & {name.lower() for name in names}:
        import_module(module)
        wanted -= {name.lower() for name in names}
assert not wanted, wanted
"""


@dataclasses.dataclass
class Bench:
    """One run of the bench: its folder, its options, and what it has found."""

    options: argparse.Namespace
    work: pathlib.Path
    provider: RehearsalProvider
    commit: str = ""
    runs: int = 0

    # --- what is prepared ------------------------------------------------------------------------------------------

    def make_repository(self, requirements: list) -> None:
        """A small real repository: a checkout for ours, a bare one for those who clone."""
        checkout, bare = self.work / "homework", self.work / "homework.git"
        for folder in (checkout, bare):
            shutil.rmtree(folder, ignore_errors=True)
        checkout.mkdir()
        (checkout / "requirements.txt").write_text("\n".join(requirements) + "\n")
        (checkout / "train.py").write_text(TRAIN)
        (checkout / ".gitignore").write_text(".venv/\n")
        git = ["git", "-C", str(checkout), "-c", "user.name=Bench", "-c", "user.email=bench@example.org"]
        for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
            subprocess.run(git + command, check=True)
        subprocess.run(["git", "clone", "-q", "--bare", str(checkout), str(bare)], check=True)
        self.commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()

    @contextlib.contextmanager
    def boxes(self, count: int, rtt: float):
        """Fresh hosts; destroyed afterwards, come what may."""
        rented: list = []
        try:
            for _unused in range(count):
                rented.append(Box(self.provider, "bench-" + uuid.uuid4().hex[:6], self.work, self.options.image, rtt))
            yield rented
        finally:
            for box in rented:
                box.destroy()

    # --- what is run -----------------------------------------------------------------------------------------------

    def command(self, rival: str, boxes: list) -> tuple:
        """``(argv, stdin path or None, environment)`` of one run of a rival."""
        env = {}
        if rival == "bash":
            return boxes[0].ssh("bash", "-s"), RIVALS / "bash" / "prepare.sh", env
        if rival == "pyinfra":
            inventory = self.work / "pyinfra_inventory.py"
            inventory.write_text("hosts = %r\n" % [(box.name, box.pyinfra_data()) for box in boxes])
            return [BENCH / "bin" / "pyinfra", "-y", inventory, RIVALS / "pyinfra" / "deploy.py"], None, env
        ours = rival == "ours"
        group = {"hosts": {box.name: box.our_variables() if ours else box.stock_variables() for box in boxes}}
        inventory = self.work / (rival + "_inventory.json")
        inventory.write_text(json.dumps({"rented": group}))
        argv = [BIN / "ansible-playbook", "-i", inventory, "--forks", str(min(10, max(5, len(boxes))))]
        if ours:
            settings = {
                "git_keys_name": "Ada Lovelace",
                "git_keys_email": "ada@example.org",
                "repos_list": [{"src": str(self.work / "homework"), "dest": "homework"}],
                "python_env_requirements": ["requirements.txt"],
                "tmux_session": "homework",
            }
            (self.work / "settings.json").write_text(json.dumps(settings))
            return [*argv, ROOT / "playbooks" / "bootstrap.yml", "-e", "@%s" % (self.work / "settings.json")], None, env
        if rival == "pipelined":
            env["ANSIBLE_PIPELINING"] = "1"
        return [*argv, RIVALS / "plain" / "prepare.yml"], None, env

    def run(self, title: str, argv: list, stdin=None, env: dict | None = None, memory: bool = False) -> tuple:
        """``(seconds, peak MiB or None, None or what went wrong)`` of one command; its output is kept in the work folder."""
        self.runs += 1
        mark = "%d-%d" % (os.getpid(), self.runs)
        log = self.work / "logs" / ("%03d-%s.log" % (self.runs, re.sub(r"\W+", "-", title)))
        log.parent.mkdir(exist_ok=True)
        watch = Peak(mark) if memory else contextlib.nullcontext()
        wrong = None
        with open(log, "w", encoding="utf-8") as output, open(stdin or os.devnull, encoding="utf-8") as source, watch as peak:
            started = time.monotonic()
            try:
                subprocess.run(
                    [str(part) for part in argv], stdin=source, stdout=output, stderr=subprocess.STDOUT, cwd=self.work,
                    env={**os.environ, **(env or {}), MARK: mark}, timeout=self.options.timeout, check=True,
                )  # fmt: skip
            except subprocess.SubprocessError as error:
                reason = "took more than %d s" % self.options.timeout if isinstance(error, subprocess.TimeoutExpired) else "failed"
                wrong = "%s, see %s" % (reason, log)
            seconds = time.monotonic() - started
        print("  %-40s %7.1f s%s" % (title, seconds, "  " + wrong if wrong else ""), flush=True)
        return seconds, peak.mib if peak else None, wrong

    def one(self, rival: str, boxes: list, rtt: float, phase: str, times: int, memory: bool = False) -> dict:
        """A row of the results: the rival run so many times on these hosts. A run that fails ends it."""
        row = {"rival": rival, "rtt": rtt, "hosts": len(boxes), "phase": phase, "seconds": [], "problems": []}
        row.update(executions=None, memory_mib=None)
        argv, stdin, env = self.command(rival, boxes)
        for _unused in range(times):
            for box in boxes:
                box.proxy.drop()
            before = boxes[0].executions()
            seconds, mib, wrong = self.run("%s, %s, %g ms, hosts: %d" % (rival, phase, rtt, len(boxes)), argv, stdin, env, memory)
            if wrong:
                row["problems"].append(wrong)
                break
            row["seconds"].append(seconds)
            row["executions"] = boxes[0].executions() - before
            row["memory_mib"] = max(mib, row["memory_mib"] or 0) if memory else None
        for box in boxes:
            box.proxy.drop()
        if not row["problems"]:
            row["problems"] = ["the host lacks: " + line for box in boxes[:1] for line in self.missing(box)]
            for line in row["problems"]:
                print("    " + line, flush=True)
        return row

    def missing(self, box: Box) -> list:
        """What the rival did not leave on the host."""
        with open(RIVALS / "check.sh", encoding="utf-8") as script:
            done = subprocess.run(box.ssh("bash", "-s", self.commit), stdin=script, capture_output=True, text=True, check=False)
        return done.stdout.splitlines() if done.returncode == 0 or done.stdout else ["a login (%s)" % done.stderr.strip()]

    # --- the whole -------------------------------------------------------------------------------------------------

    def measure(self) -> Results:
        options, rows, login = self.options, [], {}
        self.make_repository(options.requirements)
        if not options.quick:
            print("Warm up the caches between here and PyPI and Debian, not counted", flush=True)
            with self.boxes(1, 0) as boxes:
                self.run("warm up", *self.command("bash", boxes))
        (self.work / "empty.yml").write_text("- hosts: all\n  gather_facts: false\n  tasks: []\n")
        with self.boxes(1, 0) as boxes:
            inventory = self.command("ours", boxes)[0][2]
        empty = [BIN / "ansible-playbook", "-i", inventory, "empty.yml"]
        startup = [self.run("empty play", empty)[0] for _unused in range(options.repeats)]
        for rtt in options.rtt:
            print("%g ms" % rtt, flush=True)
            for rival in options.rivals:
                fresh: list = []
                for _unused in range(options.fresh):
                    with self.boxes(1, rtt) as boxes:
                        fresh.append(self.one(rival, boxes, rtt, "fresh", 1))
                        if len(fresh) == options.fresh and fresh[-1]["seconds"]:
                            rows.append(self.one(rival, boxes, rtt, "repeat", options.repeats))
                        if rtt not in login:
                            login[rtt] = [self.run("one login", boxes[0].ssh("true"))[0] for _unused in range(options.repeats)]
                rows.append({**fresh[-1], **{what: [each for row in fresh for each in row[what]] for what in ("seconds", "problems")}})
        # Memory and the cost per host do not hang on the size of what is installed.
        self.make_repository(options.fleet_requirements)
        for count in options.hosts:
            print("%d hosts" % count, flush=True)
            for rival in [name for name in ("ours", "plain") if name in options.rivals]:
                with self.boxes(count, 0) as boxes:
                    rows.append(self.one(rival, boxes, 0, "fresh", 1, memory=True))
                    if rows[-1]["seconds"]:
                        rows.append(self.one(rival, boxes, 0, "repeat", 1, memory=True))
        return Results(rows, {rival: TITLES[rival] for rival in options.rivals}, startup, login)


def ready_to_run(rivals: list) -> None:
    """Install what only the bench needs: pyinfra, in an environment of its own."""
    if "pyinfra" in rivals:
        wanted = ROOT / "requirements" / "bench.txt"
        mark = BENCH / ".ready"
        if not mark.exists() or mark.stat().st_mtime < wanted.stat().st_mtime:
            script = ROOT / "requirements" / "python.sh"
            subprocess.run([script, BENCH, sys.executable, wanted], check=True, cwd=ROOT)


def said(*command) -> str:
    """The first line that a command prints."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    return ((done.stdout or done.stderr).splitlines() or ["?"])[0].strip()


def machine(options) -> list:
    """Where and how it was measured."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    lines = [
        "Measured %s on %d cores, %.0f GB, %s, Linux %s; the hosts are containers on the same machine, image `%s`."
        % (datetime.date.today().isoformat(), os.cpu_count(), memory_gb, system, platform.release(), options.image),
        "%s; Python %s; %s; %s." % (
            said(BIN / "ansible-playbook", "--version"), platform.python_version(), said("ssh", "-V"),
            said(BENCH / "bin" / "pyinfra", "--version") if "pyinfra" in options.rivals else "no pyinfra",
        ),
        "The delay is a proxy's, half the round trip in each direction (not netem). Each number is the median of"
        " %d fresh and %d repeated runs, each with a new login." % (options.fresh, options.repeats),
        "The repository's `requirements.txt`: %s. With several hosts: %s."
        % (", ".join(options.requirements), ", ".join(options.fleet_requirements)),
    ]  # fmt: skip
    return lines


def page(results: Results, options) -> list:
    """The generated part of docs/performance.md."""
    lines = [*machine(options), "", *results.one_host(), "", *results.ratios(), ""]
    if results.fleet():
        lines += [*results.fleet(), ""]
    if results.problems():
        lines += ["", "What went wrong:", "", *results.problems()]
    return lines


def words(text: str) -> list:
    return text.replace(",", " ").split()


def numbers(text: str) -> list:
    return [int(word) for word in words(text)]


def read_options(arguments: list) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--rtt", type=numbers, default=[0, 40, 300], help="round trips, ms (0,40,300)")
    add("--rivals", type=words, default=list(TITLES), help="who takes part (%s)" % ",".join(TITLES))
    add("--fresh", type=int, default=1, help="fresh runs of each (%(default)s)")
    add("--repeats", type=int, default=3, help="repeated runs of each (%(default)s)")
    add("--hosts", type=numbers, default=[10], help="several hosts at once, of ours and plain, with memory: 10,50; '' for none (10)")
    add("--requirements", type=words, default=REQUIREMENTS, help="packages to install (%s)" % ",".join(REQUIREMENTS))
    add("--fleet-requirements", type=words, default=["requests", "tqdm"], help="the same, with several hosts (requests,tqdm)")
    add("--image", default="debian-12", help="of the hosts; debian-12-tools has git, rsync and tmux already (%(default)s)")
    add("--timeout", type=int, default=900, help="seconds for one run (%(default)s)")
    add("--quick", action="store_true", help="a smoke run: 0 ms, one repeat, two small packages, one host")
    add("--write", type=pathlib.Path, metavar="FILE", help="put the tables into this page, between its marks")
    add("--keep", action="store_true", help="keep the work folder with the logs even when all went well")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rtt, options.repeats, options.fresh, options.hosts = [0], 1, 1, []
        options.requirements = options.fleet_requirements
    unknown = [rival for rival in options.rivals if rival not in TITLES]
    if unknown:
        parser.error("there is no rival %s; there are %s" % (", ".join(unknown), ", ".join(TITLES)))
    return options


def main(arguments: list) -> int:
    options = read_options(arguments)
    ready_to_run(options.rivals)
    # Nothing of the person who runs it has a part in it, and nothing of it stays with them.
    for name in [name for name in os.environ if name.startswith(("ANSIBLE_", "VAST_"))]:
        del os.environ[name]
    work = pathlib.Path(tempfile.mkdtemp(prefix="rented-bench-"))
    os.environ.update(
        RENTED_GPU_HOME=str(work / "state"), ANSIBLE_HOME=str(work / "ansible"), ANSIBLE_NOCOLOR="1",
        ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"), XDG_RUNTIME_DIR="", PATH="%s:%s" % (BIN, os.environ["PATH"]),
    )  # fmt: skip
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(work / "key")], check=True)
    bench = Bench(options, work, RehearsalProvider(account="bench-" + uuid.uuid4().hex[:8]))
    results = bench.measure()
    lines = page(results, options)
    print("\n" + "\n".join([*lines, "", *results.goals()]))
    if options.write:
        options.write.write_text(replace_part(options.write.read_text(encoding="utf-8"), lines), encoding="utf-8")
        print("\nWritten to %s." % options.write)
    if results.problems() or options.keep:
        print("\nLogs: %s" % (work / "logs"))
    else:
        shutil.rmtree(work)
    return 1 if results.problems() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
