# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Every setting of git-config(1), and what it may do to the git commands of this collection.

*neutralised*: overridden for the commands that run. *harmless*: it does not change their result. *wanted*: it describes the user's
files, and counts as it does for a commit by hand. docs/surroundings.md shows this table, and a test holds the two together.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

NEUTRALISED = "neutralised"
HARMLESS = "harmless"
WANTED = "wanted"


@dataclass(frozen=True)
class Setting:
    """One setting, or all that match a pattern. ``here`` is its value on the controller, ``there`` in `receive-pack` on the host."""

    pattern: str
    verdict: str
    why: str
    here: str | None = None
    there: str | None = None
    how: str = ""  # where it is not a value


def _set(pattern: str, why: str, here=None, there=None, how="") -> Setting:
    return Setting(pattern, NEUTRALISED, why, here, there, how)


def _all(verdict: str, why: str, patterns: str) -> list:
    return [Setting(pattern, verdict, why) for pattern in patterns.split()]


# The first that matches counts.
TABLE = (
    _set(
        "url.*.insteadOf",
        "The push would leave for another address.",
        how="the exact address is mapped to itself, and the longest match wins",
    ),
    _set("url.*.pushInsteadOf", "As insteadOf.", how="as insteadOf"),
    _set("protocol.ssh.allow", "The push would be refused.", here="always"),
    _set("protocol.*allow", "As protocol.ssh.allow, which is more exact.", how="protocol.ssh.allow"),
    _set("core.sshCommand", "Another ssh would be used for the host.", how="GIT_SSH_COMMAND"),
    _set("ssh.variant", "git would give our command other arguments.", how="GIT_SSH_VARIANT"),
    _set("core.hooksPath", "Hooks are for commits of people, not for a copy to a host.", here="/dev/null", there="/dev/null"),
    _set("core.fsmonitor", "A monitor that is wrong hides changed files, and its daemon outlives the run.", here="false"),
    _set("core.splitIndex", "A copy of the index would write files into your repository.", here="false"),
    _set("core.safecrlf", "Files with mixed line ends could not be added.", here="false"),
    _set("core.useReplaceRefs", "What is sent is the real history; what is read has to be the same.", here="false"),
    _set("safe.bareRepository", "You name the repository yourself.", here="all"),
    _set("log.showSignature", "Text of gpg would be mixed with the answer.", here="false"),
    _set("submodule.recurse", "A search would go into submodules.", here="false"),
    _set("push.gpgSign", "The host has no use for a signed push, and may not support it.", here="false"),
    _set("push.pushOption", "The host would refuse the push.", here=""),
    _set("push.negotiate", "git would log in once more.", here="false"),
    _set("push.followTags", "More than the version would be sent.", how="--no-follow-tags"),
    _set("push.recurseSubmodules", "Submodules are sent one by one.", how="--recurse-submodules=no"),
    _set("status.showUntrackedFiles", "Files would be missed.", how="--untracked-files=normal"),
    _set("diff.ignoreSubmodules", "Changed submodules would be missed.", how="--ignore-submodules=untracked"),
    _set("color.push", "Codes for a terminal would be mixed with messages.", here="false"),
    _set("color.transport", "As color.push.", here="false"),
    _set("color.remote", "As color.push.", here="false"),
    _set("color.advice", "As color.push.", here="false"),
    _set("color.ui", "As color.push.", here="false"),
    _set(
        "receive.denyNonFastForwards",
        "A history that was rewritten could not be sent. Branches of the host do not move by a push.",
        there="false",
    ),
    _set("receive.fsckObjects", "Old repositories with small faults would be refused.", there="false"),
    _set("transfer.fsckObjects", "As receive.fsckObjects.", there="false"),
    _set("receive.hideRefs", "The place for what is sent could not be written.", there="!refs/rented"),
    _set("transfer.hideRefs", "As receive.hideRefs, which comes last and counts.", how="receive.hideRefs"),
    _set("receive.maxInputSize", "A large repository would be refused.", there="0"),
    _set("receive.autogc", "It would go on in the background and hold the connection.", there="false"),
    _set("init.templateDir", "The host's hooks would be in a repository of yours.", how="--template="),
    _set("init.defaultBranch", "A name that git refuses would stop it.", there="main"),
    _set("init.defaultObjectFormat", "The repository has to have the format of yours.", how="GIT_DEFAULT_HASH"),
    _set("init.defaultRefFormat", "Older versions of git could not read it.", how="GIT_DEFAULT_REF_FORMAT"),
    _set("commit.gpgSign", "Uncommitted work is sent as a commit without a signature.", here="false"),
    *_all(
        WANTED, "It says which of your files count, and how their content is stored.",
        "core.autocrlf core.eol core.attributesFile core.excludesFile core.fileMode core.symlinks core.ignoreCase core.precomposeUnicode "
        "core.trustctime core.checkStat core.ignoreStat core.sparseCheckout* core.worktree core.bare core.checkRoundtripEncoding filter.*",
    ),
    *_all(WANTED, "It says whose repositories you trust; git's refusal is explained.", "safe.directory"),
    *_all(WANTED, "It is part of what the repository is.", "extensions.* core.repositoryFormatVersion"),
    *_all(WANTED, "It names other files with settings; each setting in them is in this table.", "include.* includeIf.*"),
    *_all(
        WANTED, "It is checked before anything is sent: a partial clone that lacks objects is refused.",
        "remote.*.promisor remote.*.partialclonefilter",
    ),
    *_all(
        HARMLESS, "The format that is asked for does not depend on it.",
        "core.quotePath core.abbrev core.warnAmbiguousRefs status.* diff.* column.* color.* log.* grep.* core.pager "
        "pager.*",
    ),
    *_all(HARMLESS, "Each push names its address and what is sent.", "push.* remote.* remotes.* branch.* protocol.version"),
    *_all(
        HARMLESS, "Nothing is fetched.",
        "fetch.* transfer.credentialsInUrl lsrefs.* bundle.* uploadpack.* uploadpackfilter.* uploadarchive.*",
    ),
    *_all(HARMLESS, "It concerns branches, notices, or speed.", "receive.* transfer.*"),
    *_all(
        HARMLESS, "It concerns speed, memory or how safely files are written.",
        "pack.* core.* index.* feature.* splitIndex.* repack.* gc.* maintenance.* commitGraph.* fsmonitor.*",
    ),
    *_all(HARMLESS, "Output for people.", "advice.* trace2.* format.* pretty.* versionsort.* help.* man.* blame.*"),
    *_all(
        HARMLESS, "Nothing is asked and no other protocol is used.",
        "credential* http.* gpg.* user.* author.* committer.* i18n.* sendpack.*",
    ),
    *_all(HARMLESS, "An alias cannot take the place of a command of git.", "alias.*"),
    *_all(
        HARMLESS, "A command that is not used here.",
        "add.* am.* apply.* browser.* checkout.* clean.* clone.* commit.* completion.* difftool.* "
        "fastimport.* fsck.* gitcvs.* gitweb.* gui.* "
        "guitool.* imap.* init.* instaweb.* interactive.* mailinfo.* mailmap.* merge.* mergetool.* notes.* pull.* rebase.* rebase rerere.* "
        "reset.* revert.* scalar.* sendemail.* sequence.* showBranch.* sparse.* stash.* submodule.* svn-remote.* svn.* tag.* tar.* "
        "web.* worktree.* safe.* ssh.* attr.* promisor.* replay.* sparseIndex.* cat-file.* hook.* history.*",
    ),
)  # fmt: skip


def setting(name: str) -> Setting | None:
    """The row that stands for a setting."""
    for row in TABLE:
        if fnmatch.fnmatchcase(name.lower(), row.pattern.lower()):
            return row
    return None


def here() -> list:
    """Arguments for every git command on the controller."""
    return [word for row in TABLE if row.here is not None for word in ("-c", f"{row.pattern}={row.here}")]


def there() -> list:
    """Arguments for what receives a push on the host."""
    return [word for row in TABLE if row.there is not None for word in ("-c", f"{row.pattern}={row.there}")]


def own_address(url: str) -> list:
    """Arguments that keep an address from being rewritten."""
    return [word for key in ("insteadOf", "pushInsteadOf") for word in ("-c", f"url.{url}.{key}={url}")]


def markdown() -> str:
    """The table as docs/surroundings.md shows it."""
    lines = ["| setting | verdict | why |", "|---|---|---|"]
    for row in TABLE:
        values = [
            (f"`{value}`" if value else "empty") + place
            for value, place in ((row.here, ""), (row.there, " on the host"))
            if value is not None
        ]
        by = ", ".join(values) or (
            f"`{row.how}`" if row.how.startswith(("-", "GIT_")) or ("." in row.how and " " not in row.how) else row.how
        )
        lines.append("| `%s` | %s%s | %s |" % (row.pattern, row.verdict, f" ({by})" if by else "", row.why))
    return "\n".join(lines) + "\n"
