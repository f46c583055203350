# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories on rented hosts: sent from here or cloned there, moved forward only, and never over somebody's work."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

AFTER = {"name": "Look for an agent", "ansible.builtin.shell": "echo agent=${SSH_AUTH_SOCK:-none}", "changed_when": False}


def git(folder, *arguments) -> str:
    """git on the controller, with an identity of its own."""
    command = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def steps(*more) -> list:
    roles = [{"ansible.builtin.import_role": {"name": "rented.gpu." + role}} for role in ("ready", "repos")]
    return [{"hosts": "all", "gather_facts": False, "tasks": [*roles, *more]}]


@pytest.fixture(scope="module")
def box(boxes):
    found = boxes.rent("container", name="box", image="debian-12-tools")
    found.wait_for_ssh()
    return found


@pytest.fixture(scope="module")
def vm(boxes):
    return boxes.rent("vm", name="vm", image="debian-12-tools")


@pytest.fixture(scope="module")
def run(box, vm, play):
    def run(*items, limit="box", more=(), check=False, env=None, **variables):
        return play(steps(*more), limit=limit, check=check, env=env, repos_list=list(items), ready_packages=["git", "rsync"], **variables)

    return run


@pytest.fixture
def repo(tmp_path):
    return make(tmp_path / "work")


def make(path: pathlib.Path) -> pathlib.Path:
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    commit(path, "train.py", "print('one')\n")
    return path


def commit(path, name, text, *options) -> str:
    (path / name).write_text(text)
    git(path, "add", name)
    git(path, "commit", "-q", "-m", "Change " + name, *options)
    return git(path, "rev-parse", "HEAD")


def there(box, dest, *arguments) -> str:
    return box.ssh("git -C %s -c user.name=Host -c user.email=host@example.org %s" % (dest, " ".join(arguments))).strip()


def place(box, name) -> str:
    return ("/workspace/" if box.name == "box" else "/home/ubuntu/") + name


# --- push --------------------------------------------------------------------------------------------------------------


def test_a_checkout_is_sent_and_a_second_run_needs_no_execution(run, box, vm, tmp_path):
    """D6: the seed's script fails at its second run, and after a failed clone goes on in the wrong folder."""
    repo = make(tmp_path / "twice")
    item = {"src": str(repo)}
    first = run(item, limit="all").ok()
    for host in (box, vm):
        dest = place(host, "twice")
        assert there(host, dest, "rev-parse", "HEAD", "--abbrev-ref", "HEAD").split() == [git(repo, "rev-parse", "HEAD"), "main"]
        assert there(host, dest, "status", "--porcelain") == ""
        assert host.ssh("cat %s/train.py" % dest) == "print('one')\n"
        # No way back to anywhere is left there: neither a remote nor a credential.
        config = host.ssh("cat %s/.git/config" % dest)
        assert "url" not in config and "remote" not in config and "rented.creating" not in config
        assert first.run_facts(host.name)["repos"] == {**first.run_facts(host.name)["repos"], "executions": 2, "changed": True}
    second = run(item, limit="all").ok()
    for host in (box, vm):
        assert second.changed(host.name) == 0
        assert second.run_facts(host.name)["repos"]["executions"] == 0


def test_new_commits_move_the_host_forward(run, box, repo):
    item = {"src": str(repo), "dest": "code/forward"}
    run(item).ok()
    new = commit(repo, "train.py", "print('two')\n")
    git(repo, "checkout", "-q", "-b", "other")
    commit(repo, "other.txt", "not of this branch\n")
    git(repo, "checkout", "-q", "main")
    predicted = run(item, check=True).ok()
    assert predicted.changed("box") == 1
    assert "one" in box.ssh("cat /workspace/code/forward/train.py")
    assert run(item).ok().changed("box") == 1
    assert there(box, "/workspace/code/forward", "rev-parse", "HEAD") == new
    # Only the branch that was asked for has travelled.
    assert "other.txt" not in there(box, "/workspace/code/forward", "log", "--all", "--name-only", "--format=")


def test_the_open_connection_of_ansible_is_used(run, box, repo):
    run({"src": str(repo), "dest": "logins"}).ok()
    commit(repo, "train.py", "print('again')\n")
    before = logins(box)
    result = run({"src": str(repo), "dest": "logins"}).ok()
    assert result.run_facts("box")["repos"]["executions"] == 2
    assert logins(box) - before <= 1


def logins(box) -> int:
    return box.provider.console(box.id).count("Accepted publickey")


def test_changed_files_on_the_host_are_never_overwritten(run, box, vm, repo):
    item = {"src": str(repo), "dest": "dirty"}
    run(item, limit="all").ok()
    box.ssh("echo mine > /workspace/dirty/train.py; echo result > /workspace/dirty/result.txt")
    # Nothing new: no reason to complain.
    assert run(item).ok().changed("box") == 0
    commit(repo, "train.py", "print('two')\n")
    failed = run(item, limit="all")
    assert failed.rc != 0
    message = failed.message("box")
    assert "train.py" in message and "would be overwritten" in message and "result.txt" not in message
    assert box.ssh("cat /workspace/dirty/train.py") == "mine\n"
    # The other host went on.
    assert vm.ssh("cat dirty/train.py") == "print('two')\n"
    predicted = run(item, check=True)
    assert predicted.rc != 0 and "train.py" in predicted.message("box")
    box.ssh("git -C /workspace/dirty stash -q")
    run(item).ok()
    assert box.ssh("cat /workspace/dirty/train.py /workspace/dirty/result.txt") == "print('two')\nresult\n"


def test_an_untracked_file_that_a_commit_would_replace_is_kept(run, box, repo):
    item = {"src": str(repo), "dest": "untracked"}
    run(item).ok()
    box.ssh("echo mine > /workspace/untracked/notes.txt")
    commit(repo, "notes.txt", "theirs\n")
    failed = run(item)
    assert failed.rc != 0 and "notes.txt" in failed.message()
    assert box.ssh("cat /workspace/untracked/notes.txt") == "mine\n"


def test_commits_made_on_the_host_are_left_alone_and_can_be_fetched_back(run, box, repo):
    item = {"src": str(repo), "dest": "ahead"}
    run(item).ok()
    box.ssh("echo found > /workspace/ahead/found.txt")
    there(box, "/workspace/ahead", "add", ".")
    there(box, "/workspace/ahead", "commit", "-q", "-m", "Found")
    made = there(box, "/workspace/ahead", "rev-parse", "HEAD")
    (box_settled, checked) = run(item).ok(), run(item, check=True).ok()
    assert box_settled.run_facts("box")["repos"]["executions"] == 0
    for told in (box_settled, checked):
        assert "ahead: 1 commit exists only on the instance." in told.stdout
    fetch = next(line for line in box_settled.stdout.splitlines() if "fetch: GIT_SSH_COMMAND" in line)
    assert "ssh -F" in fetch and len(fetch.replace(str(repo), "~/code/homework").replace(os.environ["RENTED_GPU_HOME"], "~/x")) < 160
    # A new request has to look, and says what it saw.
    seen = run({**item, "submodules": False}).ok()
    assert seen.changed("box") == 0
    result = next(result for _host, _task, result in seen.results("ok") if "repos" in result)
    assert result["repos"][0]["ahead"] == 1
    assert "1 commit ahead" in seen.stdout
    subprocess.run(result["repos"][0]["fetch"], shell=True, check=True, capture_output=True)
    assert git(repo, "rev-parse", "FETCH_HEAD") == made
    git(repo, "merge", "-q", "--ff-only", "FETCH_HEAD")
    last = run(item).ok()
    assert last.changed("box") == 0
    # The commits are here too, so only what no commit has is told; also by a run that asks for no repository.
    assert "ahead: " not in last.stdout
    box.ssh("echo more >> /workspace/ahead/found.txt; echo x > /workspace/ahead/new.txt")
    for told in (run(item), run(item, check=True), run()):
        assert "ahead: 1 changed file and 1 new file exist only on the instance." in told.ok().stdout
    box.ssh("cd /workspace/ahead && git checkout -q . && rm new.txt")


def test_diverged_histories_are_an_error_that_says_how_to_join_them(run, box, repo):
    item = {"src": str(repo), "dest": "diverged"}
    run(item).ok()
    box.ssh("echo found > /workspace/diverged/found.txt")
    there(box, "/workspace/diverged", "add", ".")
    there(box, "/workspace/diverged", "commit", "-q", "-m", "Found")
    made = there(box, "/workspace/diverged", "rev-parse", "HEAD")
    commit(repo, "train.py", "print('two')\n")
    failed = run(item)
    assert failed.rc != 0
    assert "diverged: 1 commits are only on the host and 1 only at the source" in failed.message()
    assert "fetch ssh://" in failed.message()
    assert there(box, "/workspace/diverged", "rev-parse", "HEAD") == made


def test_an_amended_commit_is_followed_where_the_host_has_nothing_of_its_own(run, box, repo):
    item = {"src": str(repo), "dest": "amended"}
    run(item).ok()
    new = commit(repo, "train.py", "print('better')\n", "--amend")
    result = run(item).ok()
    assert there(box, "/workspace/amended", "rev-parse", "HEAD") == new
    assert "was rewritten" in result.stdout


def test_uncommitted_work_is_sent_only_when_asked_for_and_announced(run, box, repo):
    item = {"src": str(repo), "dest": "draft"}
    (repo / "train.py").write_text("print('draft')\n")
    (repo / "new.py").write_text("print('new')\n")
    (repo / ".gitignore").write_text("secret.txt\n")
    (repo / "secret.txt").write_text("secret\n")
    state = git(repo, "status", "--porcelain"), git(repo, "count-objects")
    plain = run(item).ok()
    assert box.ssh("cat /workspace/draft/train.py") == "print('one')\n"
    assert "3 files with uncommitted changes stay here" in plain.stdout
    sent = run({**item, "uncommitted": True}).ok()
    assert "Uncommitted work was sent too" in sent.stdout
    assert box.ssh("cat /workspace/draft/train.py /workspace/draft/new.py") == "print('draft')\nprint('new')\n"
    assert box.ssh("ls /workspace/draft").split() == ["new.py", "train.py"]
    assert there(box, "/workspace/draft", "rev-parse", "HEAD") == git(repo, "rev-parse", "HEAD")
    assert (git(repo, "status", "--porcelain"), git(repo, "count-objects")) == state
    again = run({**item, "uncommitted": True}).ok()
    assert again.changed("box") == 0 and again.run_facts("box")["repos"]["executions"] == 0
    # Further work replaces what was sent, although the host's tree is not clean: it holds nothing of its own.
    (repo / "train.py").write_text("print('draft 2')\n")
    (repo / "new.py").unlink()
    run({**item, "uncommitted": True}).ok()
    assert box.ssh("cat /workspace/draft/train.py; ls /workspace/draft").split("\n")[:2] == ["print('draft 2')", "train.py"]
    # Committed at last.
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Done")
    run({**item, "uncommitted": True}).ok()
    assert there(box, "/workspace/draft", "status", "--porcelain") == ""
    assert there(box, "/workspace/draft", "rev-parse", "HEAD") == git(repo, "rev-parse", "HEAD")


def test_only_what_arrived_is_called_sent_and_the_rest_is_named(run, box, repo, tmp_path):
    item = {"src": str(repo), "dest": "arrived", "uncommitted": True}
    make(repo / "inner")
    (repo / "new.py").write_text("new\n")
    (repo / ".gitignore").write_text("secret*\n")
    (repo / "secret.txt").write_text("x")
    os.mkfifo(repo / "pipe")
    sent = run(item).ok()
    result = next(result for _host, _task, result in sent.results("ok") if "repos" in result)
    assert "sent too, and is uncommitted on the host: .gitignore, new.py." in " ".join(result["repos"][0]["notes"])
    (left,) = [note for note in result["notes"] if "not sent" in note]
    assert "inner/ (a repository of its own)" in left and "secret.txt (ignored)" in left and "pipe (neither file nor folder)" in left
    assert sorted(box.ssh("ls -A /workspace/arrived").split()) == [".git", ".gitignore", "new.py", "train.py"]
    assert "arrived: " not in run(item).ok().stdout
    # Undone on the host: brought again. Changed there: work, and left alone.
    box.ssh("rm /workspace/arrived/new.py")
    again = run(item).ok()
    assert again.changed("box") == 1 and box.ssh("cat /workspace/arrived/new.py") == "new\n"
    box.ssh("echo mine > /workspace/arrived/new.py")
    left = run(item).ok()
    assert left.run_facts("box")["repos"]["executions"] == 0 and "arrived: 1 new file exists only on the instance." in left.stdout


def test_a_submodule_that_is_gone_on_the_host_comes_back(run, box, repo, tmp_path):
    library = make(tmp_path / "library")
    git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "lib")
    git(repo, "commit", "-q", "-m", "lib")
    item = {"src": str(repo), "dest": "withlib"}
    run(item).ok()
    assert run(item).ok().run_facts("box")["repos"]["executions"] == 0
    box.ssh("cd /workspace/withlib && git submodule deinit -q -f lib")
    assert run(item).ok().changed("box") == 1
    assert box.ssh("cat /workspace/withlib/lib/train.py") == "print('one')\n"


def test_uncommitted_work_never_replaces_work_of_the_host(run, box, repo):
    item = {"src": str(repo), "dest": "drafts", "uncommitted": True}
    (repo / "train.py").write_text("print('draft')\n")
    run(item).ok()
    box.ssh("echo mine > /workspace/drafts/train.py")
    (repo / "train.py").write_text("print('draft 2')\n")
    failed = run(item)
    assert failed.rc != 0 and "train.py" in failed.message()
    assert box.ssh("cat /workspace/drafts/train.py") == "mine\n"


def test_a_tag_and_a_commit_can_be_asked_for(run, box, repo):
    first = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "v1")
    second = commit(repo, "train.py", "print('two')\n")
    run({"src": str(repo), "dest": "tagged", "version": "v1"}, {"src": str(repo), "dest": "exact", "version": second}).ok()
    assert there(box, "/workspace/tagged", "rev-parse", "HEAD") == first
    assert there(box, "/workspace/exact", "rev-parse", "HEAD") == second
    run({"src": str(repo), "dest": "tagged", "version": "main"}, {"src": str(repo), "dest": "exact", "version": "v1"}).ok()
    assert there(box, "/workspace/tagged", "rev-parse", "HEAD", "--abbrev-ref", "HEAD").split() == [second, "main"]
    assert there(box, "/workspace/exact", "rev-parse", "HEAD") == first


def test_submodules_are_sent_like_the_repository(run, box, repo, tmp_path):
    inner = make(tmp_path / "inner")
    middle = make(tmp_path / "middle")
    git(middle, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "deep")
    git(middle, "commit", "-q", "-m", "Nest")
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(middle), "libs/middle")
    git(repo, "commit", "-q", "-m", "Add a submodule")
    item = {"src": str(repo), "dest": "super"}
    unready = run(item)
    assert unready.rc != 0 and "submodule update --init" in unready.message()
    assert box.ssh("test -e /workspace/super || echo nothing").strip() == "nothing"
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    run(item).ok()
    assert box.ssh("cat /workspace/super/libs/middle/deep/train.py") == "print('one')\n"
    assert there(box, "/workspace/super", "status", "--porcelain") == ""
    assert run(item).ok().run_facts("box")["repos"]["executions"] == 0
    commit(repo / "libs" / "middle", "more.py", "print('more')\n")
    git(repo, "add", "libs/middle")
    git(repo, "commit", "-q", "-m", "Move the submodule")
    run(item).ok()
    assert box.ssh("cat /workspace/super/libs/middle/more.py") == "print('more')\n"


@pytest.mark.skipif(not shutil.which("git-lfs"), reason="needs git-lfs on the controller to make such a repository")
def test_large_files_come_along_without_an_lfs_server(run, box, repo):
    """D9: no deprecated `git lfs clone`."""
    git(repo, "lfs", "install", "--local")
    git(repo, "lfs", "track", "*.bin")
    (repo / "weights.bin").write_bytes(os.urandom(300_000))
    git(repo, "add", ".gitattributes", "weights.bin")
    git(repo, "commit", "-q", "-m", "Add weights")
    item = {"src": str(repo), "dest": "large", "lfs": True}
    run(item).ok()
    digest = hashlib.sha256((repo / "weights.bin").read_bytes()).hexdigest()
    assert box.ssh("sha256sum /workspace/large/weights.bin").split()[0] == digest
    assert there(box, "/workspace/large", "status", "--porcelain") == ""
    assert run(item).ok().run_facts("box")["repos"]["executions"] == 0
    pointers = repo.with_name("pointers")
    subprocess.run(["git", "clone", "-q", str(repo), str(pointers)], env={**os.environ, "GIT_LFS_SKIP_SMUDGE": "1"}, check=True)
    lost = run({**item, "src": str(pointers)})
    assert lost.rc != 0 and "lacks 1 of the 1 LFS files" in lost.message() and "lfs pull" in lost.message()


def test_what_a_cut_off_run_left_is_mended(run, box, repo):
    for number in range(20):
        (repo / ("file%d" % number)).write_text(str(number))
    git(repo, "add", ".")
    commit(repo, "last.txt", "last\n")
    item = {"src": str(repo), "dest": "cut"}
    # As a checkout leaves it that was killed in the middle: some files, the lock, no HEAD.
    box.ssh(
        "mkdir /workspace/cut && cd /workspace/cut && git init -q && git config rented.creating true"
        " && echo 3 > file3 && echo half > last.txt && touch .git/index.lock"
    )
    run(item).ok()
    assert there(box, "/workspace/cut", "status", "--porcelain") == ""
    assert box.ssh("cat /workspace/cut/last.txt") == "last\n"
    # The same in a later fast-forward.
    new = commit(repo, "last.txt", "new\n")
    box.ssh("cd /workspace/cut && echo new > last.txt && touch .git/index.lock && rm -f ~/.rented/stamps/repos.*cut.json")
    run(item).ok()
    assert there(box, "/workspace/cut", "rev-parse", "HEAD") == new
    assert there(box, "/workspace/cut", "status", "--porcelain") == ""


def test_a_checkout_that_is_gone_comes_back(run, box, repo):
    item = {"src": str(repo), "dest": "gone"}
    run(item).ok()
    box.ssh("rm -rf /workspace/gone")
    assert run(item).ok().changed("box") == 1
    assert box.ssh("cat /workspace/gone/train.py") == "print('one')\n"


def test_a_folder_that_is_no_repository_is_left_alone(run, box, repo):
    box.ssh("mkdir /workspace/folder; echo mine > /workspace/folder/train.py")
    failed = run({"src": str(repo), "dest": "folder"})
    assert failed.rc != 0 and "not a git repository" in failed.message()
    assert box.ssh("cd /workspace/folder; ls -A; cat train.py").split() == ["train.py", "mine"]


# All other bad input is in unit/plugins/plugin_utils/test_items.py.
@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([{"src": "{}/missing"}], "does not exist"),
        ([{"src": "{}/work"}, {"src": "{}/work"}], "items 1 and 2 have the same dest"),
        ([{"src": "https://ada:secret@example.org/x.git"}], "holds a password"),
    ],
)
def test_bad_input_is_refused_before_anything_changes(run, box, repo, items, said):
    before = box.ssh("find /workspace | sort")
    result = run(*[{key: value.replace("{}", str(repo.parent)) for key, value in item.items()} for item in items])
    assert result.rc != 0
    assert said in result.message()
    assert "secret" not in result.message()
    assert box.ssh("find /workspace | sort") == before


# --- URLs --------------------------------------------------------------------------------------------------------------


class Server:
    """A git server: a second box, its sshd for ssh URLs and a web server for http ones."""

    def __init__(self, box, folder):
        self.box = box
        self.address = box.ssh("hostname -I").split()[0]
        self.key = folder / "deploy"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        box.ssh("echo '%s' >> ~/.ssh/authorized_keys" % self.key.with_suffix(".pub").read_text().strip())
        self.host_key = "%s %s" % (self.address, " ".join(box.ssh("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2]))
        box.ssh(
            """
            git init -q --bare -b main /srv/git/project.git
            printf '#!/bin/sh\\nexec git update-server-info\\n' > /srv/git/project.git/hooks/post-update
            chmod +x /srv/git/project.git/hooks/post-update
            git init -q -b main /srv/work && cd /srv/work
            git config user.name Server && git config user.email server@example.org && git remote add origin /srv/git/project.git
            """
        )
        self.commit("one")
        box.ssh("cd /srv/work && git tag v1 && git push -q origin v1")
        box.ssh("cd /srv/git && (setsid python3 -m http.server 8080 >/dev/null 2>&1 </dev/null &)")

    def commit(self, text) -> str:
        return self.box.ssh(
            "cd /srv/work && echo %s > file.txt && git add . && git commit -q -m %s && git push -q origin HEAD:main && git rev-parse HEAD"
            % (text, text)
        ).strip()

    @property
    def ssh_url(self):
        return "ssh://root@%s/srv/git/project.git" % self.address

    @property
    def http_url(self):
        return "http://%s:8080/project.git" % self.address


@pytest.fixture(scope="module")
def server(boxes, play, tmp_path_factory):
    server_box = boxes.rent("container", name="server", image="debian-12-tools")
    server_box.wait_for_ssh()
    return Server(server_box, tmp_path_factory.mktemp("server"))


@pytest.fixture
def agent(server):
    """An ssh agent that holds the deploy key, and nothing else does."""
    started = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    variables = dict(part.split("=", 1) for part in started.replace(";", "\n").split("\n") if "=" in part)
    subprocess.run(["ssh-add", "-q", str(server.key)], env={**os.environ, **variables}, check=True)
    yield {"SSH_AUTH_SOCK": variables["SSH_AUTH_SOCK"]}
    subprocess.run(["ssh-agent", "-k"], env={**os.environ, **variables}, check=True, capture_output=True)


def test_the_agent_is_lent_for_the_clone_alone(run, box, server, agent):
    item = {"src": server.ssh_url, "dest": "lent", "mode": "agent"}
    box.ssh("rm -f ~/.ssh/known_hosts")
    unknown = run(item, env=agent)
    assert unknown.rc != 0 and "known_hosts_extra" in unknown.message()
    box.ssh("echo '%s' > ~/.ssh/known_hosts" % server.host_key)
    result = run(item, env=agent, more=[AFTER]).ok()
    assert box.ssh("cat /workspace/lent/file.txt") == server.box.ssh("cat /srv/work/file.txt")
    assert "agent=none" in [answer.get("stdout") for _host, _task, answer in result.results("ok")]
    # Nor does the connection that stays open for a while carry it.
    assert run(item, env=agent, more=[AFTER]).ok().changed("box") == 0
    assert box.ssh("find /tmp -name 'agent.*' 2>/dev/null").strip() == ""
    assert set(box.ssh("ls ~/.ssh").split()) - {"known_hosts.old"} == {"authorized_keys", "known_hosts"}


def test_no_agent_and_an_empty_agent_are_clear_errors(run, box, server, tmp_path):
    box.ssh("echo '%s' > ~/.ssh/known_hosts" % server.host_key)
    item = {"src": server.ssh_url, "dest": "agentless", "mode": "agent"}
    without = run(item, env={"SSH_AUTH_SOCK": ""})
    assert without.rc != 0 and "ssh agent" in without.message()
    refused = run({**item, "mode": "private_key"})
    assert refused.rc != 0 and "accepted none of the ssh keys" in refused.message()
    assert box.ssh("test -e /workspace/agentless || echo nothing").strip() == "nothing"


def test_the_key_that_git_keys_placed_is_used(box, play, server):
    box.ssh("echo '%s' > ~/.ssh/known_hosts" % server.host_key)
    names = ("ready", "git_keys", "repos")
    plays = [
        {
            "hosts": "all",
            "gather_facts": False,
            "tasks": [{"ansible.builtin.import_role": {"name": "rented.gpu." + name}} for name in names],
        }
    ]
    variables = {
        "git_keys_mode": "private_key",
        "git_keys_private_key": str(server.key),
        "git_keys_hosts": [server.address],
        "repos_list": [{"src": server.ssh_url, "dest": "keyed"}],
        "ready_packages": ["git", "rsync"],
    }
    play(plays, limit="box", **variables).ok()
    assert box.ssh("cat /workspace/keyed/file.txt") == server.box.ssh("cat /srv/work/file.txt")
    assert play(plays, limit="box", **variables).ok().changed("box") == 0
    play(plays, limit="box", **{**variables, "git_keys_mode": "push", "repos_list": []}).ok()
    assert "rented_git_key" not in box.ssh("ls ~/.ssh")


def test_a_branch_of_a_url_is_followed_and_a_tag_costs_nothing(run, box, server):
    items = [{"src": server.http_url, "dest": "branch"}, {"src": server.http_url, "dest": "tag", "version": "v1"}]
    first = run(*items).ok()
    assert first.run_facts("box")["repos"]["executions"] == 1
    assert box.ssh("cat /workspace/tag/file.txt") == "one\n"
    assert run(items[1]).ok().run_facts("box")["repos"]["executions"] == 0
    same = run(*items).ok()
    assert same.changed("box") == 0 and same.run_facts("box")["repos"]["executions"] == 1
    new = server.commit("two")
    assert run(items[0], check=True).ok().changed("box") == 1
    assert run(*items).ok().changed("box") == 1
    assert there(box, "/workspace/branch", "rev-parse", "HEAD") == new
    assert there(box, "/workspace/branch", "rev-parse", "--abbrev-ref", "main@{upstream}") == "origin/main"
    box.ssh("echo mine > /workspace/branch/file.txt")
    server.commit("three")
    failed = run(items[0])
    assert failed.rc != 0 and "file.txt" in failed.message()
    assert box.ssh("cat /workspace/branch/file.txt") == "mine\n"
    # A tag is taken for fixed by a run, and asked for by a check.
    assert run(items[1], check=True).ok().changed("box") == 0
    server.box.ssh("cd /srv/work && git tag -f v1 && git push -q -f origin v1")
    assert run(items[1], check=True).ok().changed("box") == 1
    box.ssh("rm ~/.rented/stamps/repos.*tag.json")
    assert run(items[1]).ok().changed("box") == 1
    assert box.ssh("cat /workspace/tag/file.txt") == "three\n"


def test_a_url_that_cannot_be_read_is_a_clear_error(run, box, server):
    missing = run({"src": server.http_url.replace("project", "projekt"), "dest": "missing"})
    assert missing.rc != 0 and "does not exist, or may not be read" in missing.message()
    version = run({"src": server.http_url, "dest": "missing", "version": "nowhere"})
    assert version.rc != 0 and "has no branch or tag 'nowhere'" in version.message()
    nowhere = run({"src": "https://git.invalid/x.git", "dest": "missing"})
    assert nowhere.rc != 0 and "cannot find the server" in nowhere.message()
    assert box.ssh("test -e /workspace/missing || echo nothing").strip() == "nothing"


def test_a_checkout_of_something_else_is_left_alone(run, box, server):
    run({"src": server.http_url, "dest": "same"}).ok()
    other = run({"src": server.http_url.replace("/project", "//project"), "dest": "same"})
    assert other.rc != 0 and "it is a checkout of" in other.message()
