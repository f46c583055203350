# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What the HTTP libraries are told about their surroundings: deadlines, proxies, certificates, ~/.netrc.

The table is "Surroundings of the requests" in docs/inventory.md.
"""

from __future__ import annotations

import http.client
import os
import urllib.request
import zlib

from ansible_collections.rented.gpu.plugins.module_utils._renting import _deadline

BLOCK = 65536
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def ca_bundle() -> str | None:
    """The file or folder of certificates that the environment names, as the library requests understands it."""
    return next((found for found in (os.environ.get(name, "").strip() for name in BUNDLES) if found), None)


# --- urllib ------------------------------------------------------------------------------------------------------------


class _Http(_deadline.Watched, http.client.HTTPConnection):
    pass


class _Https(_deadline.Watched, http.client.HTTPSConnection):
    pass


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, req):
        return self.do_open(_Http, req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    """Makes its context when the first https address is asked: reading certificates takes time."""

    _made = None

    def __init__(self) -> None:  # pylint: disable=super-init-not-called
        # Not that of HTTPSHandler, which makes a context.
        super(urllib.request.HTTPSHandler, self).__init__()

    def https_open(self, req):
        if self._made is None:
            self._made = _context()
        return self.do_open(_Https, req, context=self._made)


def _context():
    # Ansible's own: it also looks where the distributions keep certificates that Python's OpenSSL does not know of.
    from ansible.module_utils.urls import make_context

    context = make_context()
    bundle = ca_bundle()
    if bundle:
        context.load_verify_locations(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})
    return context


def opener() -> urllib.request.OpenerDirector:
    """http and https, through the proxies of the environment. No redirect is followed, and every status is an answer, none an error."""
    made = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler(), urllib.request.UnknownHandler(), _HttpHandler(), _HttpsHandler()):
        made.add_handler(handler)
    return made


def blocks(answer):
    """The body of an answer of ``http.client``, unpacked, as it comes. Raises `EOFError` or `zlib.error` for one that is not whole."""
    packed = (answer.headers.get("Content-Encoding") or "").strip().lower() in ("gzip", "x-gzip")
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if packed else None
    while True:
        block = answer.read1(BLOCK)
        if not block:
            break
        if unpack is None:
            yield block
            continue
        while block:
            yield unpack.decompress(block, BLOCK)
            block = unpack.unconsumed_tail
    if answer.length:
        raise EOFError(f"{answer.length} bytes are missing")
    if unpack is not None and not unpack.eof:
        raise EOFError("its end is missing")


# --- requests ----------------------------------------------------------------------------------------------------------


def careful(session):
    """A session of the library requests, whose connections are watched, and which reads nothing of the environment by itself.

    The environment is what `surroundings` takes from it: an entry for a host in ~/.netrc would replace the key.
    """
    session.trust_env = False
    for adapter in session.adapters.values():
        _watch_manager(adapter.poolmanager)
        adapter.proxy_manager_for = _watching(adapter.proxy_manager_for)
    return session


def surroundings(url: str) -> dict:
    """``proxies`` and ``verify`` for a request to this address."""
    from requests.utils import get_environ_proxies

    return {"proxies": get_environ_proxies(url), "verify": ca_bundle() or True}


def _watching(proxy_manager_for):
    def manager(*arguments, **more):
        return _watch_manager(proxy_manager_for(*arguments, **more))

    return manager


def _watch_manager(manager):
    classes = manager.pool_classes_by_scheme
    if not any(issubclass(pool.ConnectionCls, _deadline.Watched) for pool in classes.values()):
        manager.pool_classes_by_scheme = _deadline.watched_pools(classes)
    return manager
