# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of the role data_sync: what has to be sent, sending it with rsync, one execution for the rest."""

from __future__ import annotations

import base64
import os
import posixpath
import urllib.parse
import zlib

from ansible_collections.rented.gpu.plugins.module_utils import _stamps
from ansible_collections.rented.gpu.plugins.plugin_utils import _here, _items, _paths, _rsync, _ssh
from ansible_collections.rented.gpu.plugins.plugin_utils._action import Failure, RoleAction


class ActionModule(RoleAction):
    ARGUMENT_SPEC = {"items": {"type": "list", "elements": "raw", "default": []}}

    def work(self, arguments: dict) -> dict:
        items = _items.read_data(arguments["items"])
        if not items:
            return {"changed": False, "items": []}
        self.know_host()
        for item in items:
            self.place(item)
        _paths.check_dests(_items.DATA, items)
        if _here.is_here(self._connection) and self.check_mode and not self.tool("rsync") and any(item["here"] for item in items):
            return {"changed": True, "items": [], "msg": "Would bring the data, once rsync is here."}
        items = [item for item in items if not self.in_place(item)]
        for item in items:
            item["wanted"] = self.request(item)
        todo = [item for item in items if not self.settled(item["stamp"], item["wanted"])]
        sending = [item for item in todo if not item["url"]]
        if sending:
            self.check_room(sending)
        results, failures, diffs = [], [], []
        for item in sending:
            try:
                with _ssh.program("rsync", self._connection, self._task_vars):
                    results.append(self.send(item, diffs))
                item["done"] = True
            except Failure as failure:
                failures.append(str(failure))
                results.append({"dest": item["path"], "changed": False, "error": str(failure)})
        try:
            answer = self.on_host(todo)
        except Failure as failure:
            if "items" not in failure.details:
                raise
            answer = failure.details
            failures.append(str(failure))
        results += answer.get("items") or []
        diffs += answer.get("diff") or []
        result = {"changed": any(entry["changed"] for entry in results), "items": results, "diff": diffs}
        if failures:
            raise Failure(" ".join(failures), **result)
        result["msg"] = self.summary(items, results)
        return result

    # --- the request ---------------------------------------------------------------------------------------------

    def place(self, item: dict) -> None:
        """Where it goes on the host. ``dest`` is the place itself; a slash at its end, for a single file, means the folder around it."""
        inside = item["dest"].endswith("/")
        item["path"] = _paths.on_host(item["dest"], self.facts)
        item["stamp"] = _paths.stamp_name("data_sync", item["dest"])
        if item["url"]:
            name = posixpath.basename(urllib.parse.urlsplit(item["url"]).path) or "download"
            item["folder"] = None
            if item["unpack"] is True:
                item["folder"] = item["path"]
            elif item["unpack"]:
                item["folder"] = _paths.on_host(item["unpack"], self.facts)
            if inside and item["unpack"] is not True:
                item["path"] = posixpath.join(item["path"], name)
        elif inside and not os.path.isdir(item["here"]):
            item["path"] = posixpath.join(item["path"], os.path.basename(item["here"]))

    def in_place(self, item: dict) -> bool:
        """Whether the data is its own dest: Ansible runs on the host itself, and there is nothing to send."""
        if item["url"] or not _here.is_here(self._connection):
            return False
        if _here.same_place(item["here"], item["path"]):
            return True
        if os.path.isdir(item["here"]) and _here.inside(item["path"], item["here"]):
            raise Failure("The dest %s lies inside the data %s itself: give a dest outside of it." % (item["path"], item["here"]))
        return False

    def request(self, item: dict) -> dict:
        """What the stamp stands for."""
        if item["url"]:
            return {key: item[key] for key in ("url", "path", "checksum", "folder")}
        item["listing"] = _rsync.listing(item["here"], item["exclude"])
        digest = _rsync.listing_digest(item["listing"])
        return {"path": item["path"], "exclude": item["exclude"], "delete": bool(item["delete"]), "tree": digest}

    # --- the work ------------------------------------------------------------------------------------------------

    def tool(self, name: str) -> bool:
        """Whether the host has it; assumed when nobody has looked."""
        return not self.facts.get("tools") or bool(self.facts["tools"].get(name))

    def check_room(self, sending: list) -> None:
        """Before anything is sent: does it fit? What facts say is enough as a rule; only in doubt the host is asked what it has."""
        _rsync.find()
        if not self.tool("rsync"):
            if self.check_mode:
                return
            raise Failure("rsync is not on the host: the role `ready` installs it.")
        for name in ("workdir", "home"):
            disk = (self.facts.get("disks") or {}).get(name) or {}
            root = self.facts[name].rstrip("/") + "/"
            if not disk.get("free_mb"):
                continue
            mine = [item for item in sending if item["path"].startswith(root) and not item.get("disk")]
            for item in mine:
                item["disk"] = name
            free = disk["free_mb"] * 1024 * 1024
            if sum(self.bytes_of(item) for item in mine) <= free:
                continue
            wanted = 0
            for item in mine:
                self.executions += 1
                stats = _rsync.send(self.ssh(), item["here"], item["path"], item["exclude"], False, dry=True)
                wanted += self.bytes_of(item) if stats is None else stats.bytes
            if wanted > free:
                raise Failure(
                    "Sending data needs %s and %s has %s free, so nothing was sent: free some space there, or rent a larger disk."
                    % (_paths.size(wanted), disk.get("path") or root, _paths.size(free))
                )

    def bytes_of(self, item: dict) -> int:
        return sum(entry[1] for entry in item["listing"])

    def ssh(self):
        return _ssh.reach(self._connection, self._task_vars)

    def send(self, item: dict, diffs: list) -> dict:
        stats = None
        if self.tool("rsync"):
            self.executions += 1
            stats = _rsync.send(
                self.ssh(), item["here"], item["path"], item["exclude"], bool(item["delete"]), dry=self.check_mode,
                show=lambda text: self.say("%s: %s" % (item["dest"], text)),
            )  # fmt: skip
        if stats is None:  # check mode, and there is nothing at its place yet
            stats = _rsync.Stats(files=len(item["listing"]), bytes=self.bytes_of(item), changes=len(item["listing"]) + 1)
            stats.names = ["<f+++++++++ " + entry[0] for entry in item["listing"][: _rsync.KEPT]]
        if stats.changes:
            text = "%d files, %s to send, %d to delete\n%s\n" % (
                stats.files,
                _paths.size(stats.bytes),
                stats.deleted,
                "\n".join(stats.names),
            )
            diffs.append({"before_header": item["path"], "after_header": item["path"], "before": "", "after": text})
        return {
            "dest": item["path"], "changed": stats.changes > 0, "files": stats.files, "bytes": stats.bytes, "literal": stats.literal,
            "deleted": stats.deleted, "seconds": stats.seconds,
        }  # fmt: skip

    def on_host(self, todo: list) -> dict:
        """One execution: stamps for what was sent, and all downloads."""
        sent, downloads = [], []
        for item in todo:
            stamp = {"stamp": item["stamp"], "stamp_wanted": _stamps.digest(item["wanted"])}
            if item["url"]:
                downloads.append(
                    dict(
                        stamp,
                        url=item["url"],
                        dest=item["path"],
                        checksum=item["checksum"],
                        unpack=item["folder"],
                        keep=isinstance(item["unpack"], str),
                    )
                )
            elif item.get("done"):
                names = [entry[0] for entry in item["listing"]]
                packed = base64.b64encode(zlib.compress(("\0".join(names) if names else "\1").encode("utf-8", "surrogateescape"))).decode()
                sent.append(dict(stamp, dest=item["path"], names=packed, whole=bool(item["delete"])))
        if not downloads and (not sent or self.check_mode):
            return {}
        return self.remote("transfer", {"sent": sent, "downloads": downloads})

    def summary(self, items: list, results: list) -> str:
        if not results:
            return "All %d items are as wanted." % len(items)
        seconds = sum(entry.get("seconds") or 0 for entry in results)
        amount = sum(entry.get("bytes") or 0 for entry in results)
        return "%d files, %s in %.1f s." % (sum(entry.get("files") or 0 for entry in results), _paths.size(amount), seconds)
