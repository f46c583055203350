#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: data_sync
short_description: Feed data to a rented host, from the controller or from a URL
version_added: 0.1.0
description:
  - Used as a task, the action of the same name runs on the controller. It takes O(items), sends local files and folders with
    rsync over the host's own ssh connection, and calls this module once for all that is done on the host.
  - On the host this module downloads URLs. A download that was cut off goes on where it stopped, its checksum is verified before
    it is put in place, and archives are unpacked without ever writing outside of their place.
  - It also notes what was sent, so that the next run knows without asking again that nothing has to be done.
options:
  items:
    description:
      - What the action takes, the items of the variable C(data_sync_items). Known keys are C(src), C(dest), C(url), C(checksum),
        C(unpack), C(exclude), C(delete).
      - Only the action looks at it.
    type: list
    elements: raw
  sent:
    description: What the action has sent.
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description: Absolute path.
        type: path
        required: true
      listing:
        description:
          - What was sent, as JSON, compressed by zlib, in base64. A file is C([name, bytes, seconds]), a link C([name, target]), a folder
            C([name/]).
          - Each entry is looked at before the stamp is written.
        type: str
        required: true
      whole:
        description: Whether other files below O(sent[].dest) count as a change, as they do where the sending deletes them.
        type: bool
        default: false
      stamp:
        description: Name of the stamp to write.
        type: str
        required: true
      stamp_wanted:
        description: Digest of the request, computed on the controller.
        type: str
        required: true
  checksum:
    description:
      - Whether contents are compared, and not only sizes and times, also of what earlier runs sent. It reads all of the data on both sides.
      - Downloads are compared with their C(checksum); an archive that was not kept has none.
      - Only the action looks at it.
    type: bool
    default: false
  downloads:
    description: What the host fetches itself.
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description: An C(http) or C(https) URL, without what may be secret in it.
        type: str
        required: true
      secret:
        description: The URL and the checksum whole, where they hold a name, a password or a signature. The action sets it.
        type: str
      verify:
        description: Whether the content of a file that is there already is compared with O(downloads[].checksum).
        type: bool
        default: false
      dest:
        description: Absolute path of the file, or of the folder that the content of the archive is put in.
        type: path
        required: true
      checksum:
        description: C(<algorithm>:<hex digits>), or C(<algorithm>:<URL>) of a list of checksums.
        type: str
      unpack:
        description: Folder to unpack into. Without it the file is kept as it is.
        type: path
      keep:
        description: Whether the archive is kept at O(downloads[].dest) after unpacking.
        type: bool
        default: false
      stamp:
        description: Name of the stamp to write.
        type: str
      stamp_wanted:
        description: Digest of the request, computed on the controller.
        type: str
attributes:
  check_mode:
    description: Predicts without changing anything.
    support: full
  diff_mode:
    description: Shows what is put where.
    support: full
author:
  - The rented.gpu contributors (@rented-gpu)
"""

EXAMPLES = r"""
- name: Feed data
  rented.gpu.data_sync:
    items:
      - {src: ~/data/cifar, dest: data/cifar, exclude: ["*.tmp"]}
      - url: https://example.org/weights.tar.gz
        dest: models/weights
        checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
        unpack: true
"""

RETURN = r"""
sent:
  description: What was found of what the action had sent, one entry per item of O(sent).
  type: list
  elements: dict
  returned: always
items:
  description: What was found and done, one entry per item.
  type: list
  elements: dict
  returned: always
  contains:
    dest:
      description: Path on the host.
      type: str
    changed:
      description: Whether anything was changed.
      type: bool
    files:
      description: Number of files that were sent or put in place.
      type: int
    bytes:
      description: Size of what was sent or downloaded, in bytes.
      type: int
    missing:
      description: Names that were sent and are not at their place with the same size.
      type: list
      elements: str
    differs:
      description: With O(checksum), names of files whose content was another one on the host.
      type: list
      elements: str
    note:
      description: What could not be compared, and why.
      type: str
    resumed:
      description: Number of bytes that an earlier, cut off download had left, in bytes.
      type: int
    seconds:
      description: How long it took.
      type: float
"""

import base64
import json
import os
import shutil
import time
import urllib.parse
import zlib

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._host import _lock, _stamps, _urls
from ansible_collections.rented.gpu.plugins.module_utils._host._downloads import (
    Abandoned,
    Download,
    Trouble,
    checksum_of,
    expected,
    merge,
    unpack,
    verified,
    whole,
    without_secrets,
)

WAIT = 600  # seconds to wait for an earlier run that is still at work


def download(item, home, check_mode):
    started = time.monotonic()
    url, checksum = whole(item)
    dest, folder, name = item["dest"], item["unpack"], os.path.basename(urllib.parse.urlsplit(url).path) or "download"
    # What an earlier run of this item put there may be replaced; anything else may not.
    before = earlier(home, item["stamp"], item["stamp_wanted"])
    place = dest if item["keep"] or not folder else f"{folder.rstrip('/')}.{name}"
    if before.get("same"):
        result = {"dest": dest, "changed": False, "files": 0, "bytes": 0, "resumed": 0}
        if not item.get("verify"):
            return result
        if folder:
            result["note"] = f"{folder}: what was unpacked has no checksum, so its content was not compared"
        if not checksum:
            return dict(result, note=f"{folder or dest}: it has no checksum, so its content was not compared")
        if folder and not item["keep"]:
            return result
        wanted = expected(checksum, name)
        if checksum_of(place, wanted[0]) == wanted[1]:
            return result
    if os.path.isdir(dest) and not folder:
        raise Trouble("it is a folder, and a file is to be put there: write dest with a slash at its end to put the file into it")
    if folder and os.path.lexists(folder) and not os.path.isdir(folder):
        raise Trouble(f"{folder} is a file, and an archive is to be unpacked there: choose another dest")
    result = {"dest": dest, "changed": True, "files": 1, "bytes": 0, "resumed": 0}
    there = os.path.isfile(place) and (item["keep"] or not folder)
    wanted = None
    if there or not check_mode:
        wanted = expected(checksum, name) if checksum else None
    if there and wanted and checksum_of(place, wanted[0]) == wanted[1]:
        there = "right"
    elif there and place not in before.get("paths", []):
        raise Trouble(
            "another file is there already%s: move it away, or choose another dest"
            % (", with another checksum" if wanted else ", and without a checksum there is no way to tell whether it is the right one")
        )
    if check_mode:
        result["changed"] = there != "right" or bool(folder)
        return result
    unfinished(home, item, before)
    if there != "right":
        fetched = Download(url, place)
        ready = place + ".complete"
        if not (folder and not item["keep"] and os.path.isfile(ready) and (not wanted or checksum_of(ready, wanted[0]) == wanted[1])):
            verified(fetched, wanted)
            result.update(bytes=os.path.getsize(fetched.part), resumed=fetched.resumed)
            if item["keep"] or not folder:
                unfinished(home, item, before, [place])
            os.replace(fetched.part, place if item["keep"] or not folder else ready)
            fetched.forget()
        archive = place if item["keep"] or not folder else ready
    else:
        archive = place
        result["changed"] = False
    watch, paths = {}, []
    if not folder or item["keep"]:
        watch = {"trees": {place: _stamps.tree_digest(place)}}
        paths = [place]
    if folder:
        temporary = folder.rstrip("/") + ".unpacking"
        shutil.rmtree(temporary, ignore_errors=True)
        os.makedirs(temporary)
        try:
            names = sorted(set(unpack(archive, temporary)))
            merge(temporary, folder, before.get("names", set()))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if not item["keep"]:
            os.unlink(archive)
        result.update(files=len(names), changed=True)
        watch.update(watched(home, item["stamp"] or "download", folder, names))
        paths.append(folder)
    if item["stamp"]:
        _stamps.write(
            home,
            item["stamp"],
            item["stamp_wanted"] or "",
            watch,
            {"paths": paths, "source": _urls.without_secrets(url), "says": "data in " + os.path.basename(item["dest"])},
        )
    result["seconds"] = round(time.monotonic() - started, 1)
    return result


def watched(home, stamp, folder, names):
    if not names:
        return {"exists": {folder: True}}
    lists = _stamps.write_list(home, stamp, names)
    return {"listed": {folder: {"names": lists, "digest": _stamps.listed_digest(folder, lists)}}}


def earlier(home, stamp, wanted):
    """What an earlier run of the item put in place: ``paths``, ``names`` of unpacked files, ``watch``, and ``same`` when that is all."""
    found = _stamps.read(home, stamp) if stamp else None
    if not found:
        return {}
    names = set()
    for seen in found["watch"].get("listed", {}).values():
        names.update(_stamps.read_list(seen["names"]) or [])
    return {
        "paths": found["data"].get("paths", []),
        "names": names,
        "watch": found["watch"],
        "same": found["intact"] and found["wanted"] == wanted,
    }


def unfinished(home, item, before, more=()):
    """From here until the end an interrupted run is seen; what it and earlier runs put in place may still be replaced by the next one."""
    if item["stamp"]:
        _stamps.write(home, item["stamp"], "unfinished", before.get("watch", {}), {"paths": [*before.get("paths", []), *more]})


def note_sent(item, home):
    """Look at what was sent, and write the stamp when all of it is there. The names of what is not there, or has another size."""
    listing = json.loads(zlib.decompress(base64.b64decode(item["listing"])).decode("ascii"))
    top = os.fsencode(item["dest"])
    missing = []
    for wanted in listing:
        there = _stamps.entry_of(top, wanted[0])
        # Times are left out: some network volumes keep their own.
        if there is None or len(there) != len(wanted) or (len(there) == 3 and there[1] != wanted[1]):
            missing.append(wanted[0])
    if missing:
        _stamps.remove(home, item["stamp"])
        return missing
    names = [wanted[0] for wanted in listing]
    if item["whole"]:
        watch = {"trees": {item["dest"]: _stamps.tree_digest(item["dest"])}}
    else:
        watch = watched(home, item["stamp"], item["dest"], names)
    _stamps.write(
        home, item["stamp"], item["stamp_wanted"], watch, {"paths": [item["dest"]], "says": "data in " + os.path.basename(item["dest"])}
    )
    return []


def main():
    module = AnsibleModule(
        argument_spec={
            "items": {"type": "list", "elements": "raw"},
            "checksum": {"type": "bool", "default": False},
            "sent": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "dest": {"type": "path", "required": True},
                    "listing": {"type": "str", "required": True},
                    "whole": {"type": "bool", "default": False},
                    "stamp": {"type": "str", "required": True},
                    "stamp_wanted": {"type": "str", "required": True},
                },
            },
            "downloads": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "url": {"type": "str", "required": True},
                    "secret": {"type": "str", "no_log": True},
                    "verify": {"type": "bool", "default": False},
                    "dest": {"type": "path", "required": True},
                    "checksum": {"type": "str"},
                    "unpack": {"type": "path"},
                    "keep": {"type": "bool", "default": False},
                    "stamp": {"type": "str"},
                    "stamp_wanted": {"type": "str"},
                },
            },
        },
        supports_check_mode=True,
    )
    home = _stamps.user_home()
    held = None
    if not module.check_mode:
        held = _lock.acquire(home, "data_sync", WAIT)
        if held is None:
            module.fail_json(msg="An earlier run still fetches data on this host: wait for it, or end it, and run again.")
    sent = [{"dest": item["dest"], "missing": note_sent(item, home)} for item in module.params["sent"] if held is not None]
    results, failures, diffs = [], [], []
    for item in module.params["downloads"]:
        try:
            result = download(item, home, module.check_mode)
        except Abandoned as reason:
            module.fail_json(msg=str(reason))
        except (Trouble, OSError) as error:
            url, checksum = whole(item)
            said = without_secrets(str(error), url, (checksum or "").partition(":")[2])
            result = {"dest": item["dest"], "changed": False, "files": 0, "bytes": 0, "resumed": 0, "error": said}
            failures.append(f"{item['dest']}: {said}.")
        results.append(result)
        if result["changed"]:
            after = f"{'unpacked' if item['unpack'] else 'file'} from {_urls.without_secrets(item['url'])}\n"
            diffs.append({"before_header": item["dest"], "after_header": item["dest"], "before": "", "after": after})
    if held is not None:
        os.close(held)
    changed = any(result["changed"] for result in results)
    if failures:
        module.fail_json(msg=" ".join(failures), items=results, sent=sent, changed=changed)
    module.exit_json(changed=changed, items=results, sent=sent, diff=diffs)


if __name__ == "__main__":
    main()
