# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of the role data_sync: what has to be sent, sending it with rsync, one execution for the rest."""

from __future__ import annotations

import base64
import json
import os
import posixpath
import urllib.parse
import zlib

from ansible_collections.rented.gpu.plugins.module_utils._host import _downloads, _stamps, _urls
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _item_specs, _paths, _rsync
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._role_action import RoleAction
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _commands, _local_host

SLOWEST_DISK = 10_000_000  # bytes in a second
LISTED = 5


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _listed(names: list) -> str:
    shown = [name or "the file" for name in names[:LISTED]]
    return ", ".join(shown) + (" and %d more" % (len(names) - LISTED) if len(names) > LISTED else "")


class ActionModule(RoleAction):
    ARGUMENT_SPEC = {
        "items": {"type": "list", "elements": "raw", "default": []},
        "checksum": {"type": "bool", "default": False},
    }

    def work(self, arguments: dict) -> dict:
        self.checksum = arguments["checksum"]
        items = _item_specs.read_data(arguments["items"])
        if not items:
            return {"changed": False, "items": []}
        self.know_host()
        for item in items:
            self.place(item)
        _paths.check_dests(_item_specs.DATA, items)
        self.check_deleting(items)
        if _local_host.is_here(self._connection) and self.check_mode and not self.tool("rsync") and any(item.here for item in items):
            return {"changed": True, "items": [], "msg": "Would bring the data, once rsync is here."}
        items = [item for item in items if not self.in_place(item)]
        for item in items:
            item.wanted = self.request(item)
        todo = [item for item in items if not self.settled(item.stamp, item.wanted)]
        for item in items:
            item.settled = item not in todo
            if self.checksum and item.settled:
                todo.append(item)
        sending = [item for item in todo if not item.url]
        if sending:
            self.check_room([item for item in sending if not item.settled])
        results: list = []
        failures: list = []
        diffs: list = []
        for item in sending:
            try:
                with _commands.program("rsync", self._connection, self._task_vars):
                    results.append(self.send(item, diffs))
                item.done = results[-1]["changed"] or not item.settled
            except Failure as failure:
                failures.append(str(failure))
                results.append({"dest": item.path, "changed": False, "error": str(failure)})
        try:
            answer = self.on_host(todo)
        except Failure as failure:
            if "items" not in failure.details:
                raise
            answer = failure.details
            failures.append(str(failure))
        by_path = {item.path: item for item in sending}
        for entry in answer.get("sent") or []:
            if entry["missing"] and entry["dest"] in by_path:
                failures.append(self.not_there(by_path[entry["dest"]], entry["missing"]))
        results += answer.get("items") or []
        diffs += answer.get("diff") or []
        result = {"changed": any(entry["changed"] for entry in results), "items": results, "diff": diffs}
        if failures:
            raise Failure(" ".join(failures), **result)
        result["msg"] = self.summary(items, results)
        result["notes"] = notes = self.notes(results)
        for note in notes:
            self.say(note)
        return result

    # --- the request ---------------------------------------------------------------------------------------------

    def place(self, item: _item_specs.DataItem) -> None:
        """Where it goes on the host. ``dest`` is the place itself; a slash at its end, for a single file, means the folder around it."""
        inside = item.dest.endswith("/")
        item.path = _paths.on_host(item.dest, self.facts)
        if item.url:
            name = posixpath.basename(urllib.parse.urlsplit(item.url).path) or "download"
            item.folder = None
            if item.unpack is True:
                item.folder = item.path
            elif item.unpack:
                item.folder = _paths.on_host(item.unpack, self.facts)
            if inside and item.unpack is not True:
                item.path = posixpath.join(item.path, name)
        elif inside and not os.path.isdir(item.here):
            item.path = posixpath.join(item.path, os.path.basename(item.here))
        # Of the place, not of how it was written: two spellings are one item. An archive's next version may have another name.
        item.stamp = _paths.stamp_name("data_sync", item.folder if item.url and item.folder else item.path)

    def check_deleting(self, items: list) -> None:
        """An item with delete: true may hold nothing that another item or another role brings: the two would undo each other."""
        known = self.facts.get("stamps") or {}
        others = [(name, path) for name in ("workdir", "home") for path in [self.facts.get(name)] if path]
        for stamp in known.values():
            watch = stamp.get("watch") if isinstance(stamp, dict) else None
            for kind, what in (("repos", "the checkout"), ("envs", "the Python environment")):
                others += [(what, path) for path in ((watch or {}).get(kind) or {})]
        for number, item in enumerate(items, 1):
            if not item.delete or not os.path.isdir(item.here):
                continue
            inside = [(what, path) for what, path in others if _below(path, item.path)]
            for other, entry in enumerate(items, 1):
                if entry is not item:
                    inside += [(f"item {other}", place) for place in (entry.path, entry.folder) if place and _below(place, item.path)]
            if inside:
                raise Failure(
                    "%s, item %d: delete is true, and it would delete %s (%s), which is inside its dest %s: give the item its own dest, "
                    "or leave delete out. Nothing was sent." % (_item_specs.DATA, number, *inside[0], item.path)
                )

    def in_place(self, item: _item_specs.DataItem) -> bool:
        """Whether the data is its own dest: Ansible runs on the host itself, and there is nothing to send."""
        if item.url or not _local_host.is_here(self._connection):
            return False
        if _local_host.same_place(item.here, item.path):
            return True
        if os.path.isdir(item.here) and _local_host.inside(item.path, item.here):
            raise Failure(f"The dest {item.path} lies inside the data {item.here} itself: give a dest outside of it.")
        return False

    def request(self, item: _item_specs.DataItem) -> dict:
        """What the stamp stands for."""
        if item.url:
            return {key: getattr(item, key) for key in ("url", "path", "checksum", "folder")}  # only its digest leaves the controller
        item.listing = _rsync.listing(item.here, item.exclude)
        digest = _rsync.listing_digest(item.listing)
        return {"path": item.path, "exclude": item.exclude, "delete": bool(item.delete), "tree": digest}

    # --- the work ------------------------------------------------------------------------------------------------

    def tool(self, name: str) -> bool:
        """Whether the host has it; assumed when it was not checked."""
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
            mine = [item for item in sending if item.path.startswith(root) and not item.disk]
            for item in mine:
                item.disk = name
            free = disk["free_mb"] * 1024 * 1024
            if sum(self.bytes_of(item) for item in mine) <= free:
                continue
            wanted = 0
            for item in mine:
                self.executions += 1
                stats = _rsync.send(self.ssh(), item.here, item.path, item.exclude, False, dry=True)
                wanted += self.bytes_of(item) if stats is None else stats.bytes
            if wanted > free:
                raise Failure(
                    f"Sending data needs {_paths.size(wanted)} and {disk.get('path') or root} has "
                    f"{_paths.size(free)} free, so nothing was sent: free some space there, or rent a larger disk."
                )

    def bytes_of(self, item: _item_specs.DataItem) -> int:
        return sum(entry[1] for entry in _rsync.files(item.listing))

    def ssh(self):
        return _commands.reach(self._connection, self._task_vars)

    def send(self, item: _item_specs.DataItem, diffs: list) -> dict:
        stats = None
        if self.tool("rsync"):
            self.executions += 1
            stats = _rsync.send(
                self.ssh(), item.here, item.path, item.exclude, bool(item.delete), dry=self.check_mode,
                show=lambda text: self.say(f"{item.dest}: {text}"), checksum=self.checksum, silence=self.silence(item),
            )  # fmt: skip
        if stats is None:  # check mode, and there is nothing at its place yet
            files = _rsync.files(item.listing)
            stats = _rsync.Stats(files=len(files), bytes=self.bytes_of(item), changes=len(item.listing) + 1)
            stats.names = ["<f+++++++++ " + entry[0] for entry in files[: _rsync.KEPT]]
        if stats.changes:
            text = "%d files, %s to send, %d to delete\n%s\n" % (
                stats.files,
                _paths.size(stats.bytes),
                stats.deleted,
                "\n".join(stats.names),
            )
            diffs.append({"before_header": item.path, "after_header": item.path, "before": "", "after": text})
        result = {
            "dest": item.path, "changed": stats.changes > 0, "files": stats.files, "bytes": stats.bytes, "literal": stats.literal,
            "deleted": stats.deleted, "seconds": stats.seconds,
        }  # fmt: skip
        if self.checksum and item.settled:
            # What sizes and times said to be unchanged.
            result["differs"] = [name.partition(" ")[2] for name in stats.names if name[1:2] == "f"]
        return result

    def silence(self, item: _item_specs.DataItem) -> int:
        """Seconds without a byte: while a side reads a large file for its checksum, it sends nothing."""
        largest = max((entry[1] for entry in _rsync.files(item.listing)), default=0) if self.checksum else 0
        return _rsync.SILENCE + largest // SLOWEST_DISK

    def not_there(self, item: _item_specs.DataItem, missing: list) -> str:
        """What it means that a name that was sent is not on the host with its size."""
        wanted = {entry[0]: entry for entry in item.listing}
        moved = [name for name in missing if _stamps.entry_of(os.fsencode(item.here), name) != wanted.get(name)]
        if len(moved) == len(missing):
            return f"{item.src} changed here while it was sent ({_listed(missing)}): run again when nothing writes to it."
        return (
            f"{item.src}: {len(missing)} of what was sent did not arrive in {item.path} as it is here "
            f"({_listed(missing)}): look at its file system, and run again."
        )

    def notes(self, results: list) -> list:
        found = []
        for entry in results:
            if entry.get("differs"):
                count = len(entry["differs"])
                words = ("1 file has", "is") if count == 1 else (f"{count} files have", "are")
                if not self.check_mode:
                    words = ("1 file had", "was") if count == 1 else (f"{count} files had", "were")
                end = "" if self.check_mode else f" and {words[1]} sent again"
                found.append(f"{entry['dest']}: {words[0]} another content than here{end}: {_listed(entry['differs'])}")
            if entry.get("note"):
                found.append(entry["note"] + ".")
        return found

    def on_host(self, todo: list) -> dict:
        """One execution: stamps for what was sent, and all downloads."""
        sent, downloads = [], []
        for item in todo:
            stamp = {"stamp": item.stamp, "stamp_wanted": _stamps.digest(item.wanted)}
            if item.url:
                address = (item.checksum or "").partition(":")
                downloads.append(
                    dict(
                        stamp,
                        url=_urls.without_secrets(item.url),
                        # What is secret in an address is in no argument that Ansible or a log shows.
                        secret=_downloads.hidden(item.url, item.checksum),
                        dest=item.path,
                        checksum=f"{address[0]}:{_urls.without_secrets(address[2])}" if item.checksum else None,
                        unpack=item.folder,
                        keep=isinstance(item.unpack, str),
                        verify=self.checksum,
                    )
                )
            elif item.done:
                packed = base64.b64encode(zlib.compress(json.dumps(item.listing).encode("ascii"))).decode()
                sent.append(dict(stamp, dest=item.path, listing=packed, whole=bool(item.delete)))
        if not downloads and (not sent or self.check_mode):
            return {}
        return self.remote("data_sync", {"sent": sent, "downloads": downloads})

    def summary(self, items: list, results: list) -> str:
        if not results:
            return f"All {len(items)} items are as wanted."
        if self.checksum and not any(entry["changed"] for entry in results):
            return f"All {len(items)} items are as wanted, their contents compared."
        seconds = sum(entry.get("seconds") or 0 for entry in results)
        amount = sum(entry.get("bytes") or 0 for entry in results)
        return "%d files, %s in %.1f s." % (sum(entry.get("files") or 0 for entry in results), _paths.size(amount), seconds)
