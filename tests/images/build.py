# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the images of rehearsal boxes ahead of time: ``python build.py [debian-12] [debian-13-no-python] [--all] [--remove]``.

Without names: debian-12 and debian-13. An image that exists is left alone, so this may be run any number of times.
``--remove`` deletes every image that was built so, of this version and of others, except those that a box still uses.
"""

from __future__ import annotations

import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, ".collections"))

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import engine as engines
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import images


def main(arguments: list) -> int:
    """Build what is named; returns the exit status."""
    if "-h" in arguments or "--help" in arguments:
        print(__doc__)
        print("Images: %s" % ", ".join(sorted(images.IMAGES)))
        return 0
    if "--remove" in arguments:
        return remove()
    names = sorted(images.IMAGES) if "--all" in arguments else (arguments or sorted(images.SUITES))
    try:
        for name in names:
            images.split(name)
        engine = engines.need_engine()
        print("engine: %s" % engine.path)
        for name in names:
            started = time.time()
            tag = images.ensure(engine, name, lambda line: print("  " + line, flush=True))
            # An image kept from before says nothing of whether containers start here today.
            engine.ready(tag)
            print("%s: %s (%.1f s)" % (name, tag, time.time() - started), flush=True)
        print("settings: %s" % (engine.config or "the engine's own"))
    except RentedError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


def remove() -> int:
    """Delete our images; one that is in use stays and is named."""
    engine = engines.find_engine()
    if engine is None:
        return 0
    try:
        for tag in images.built(engine):
            done = engine.call("rmi", tag)
            if done.returncode:
                print("%s stays: %s" % (tag, engines.last_words(done)))
    except RentedError as error:
        # An engine that does not answer keeps no images of ours that could be removed now.
        print(error.message)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
