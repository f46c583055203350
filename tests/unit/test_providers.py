# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new provider needs: one file, one line, one fixture folder and one page. A failure names what is missing."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
import yaml

from ansible_collections.rented.gpu.plugins.doc_fragments.account import ModuleDocFragment
from ansible_collections.rented.gpu.plugins.module_utils import _arguments
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._models import STATES
from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS, provider_class
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import MIXINS, Provider
from ansible_collections.rented.gpu.plugins.modules import instance, instance_info, offer_info, ssh_key

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "plugins" / "module_utils" / "_providers"
FILES = sorted(path for path in FOLDER.glob("*.py") if not path.name.startswith("_"))
NAMES = sorted(PROVIDERS)
# Packages of a provider: `_lambda` beside `lambda_cloud.py`, named by the provider.
BESIDE_FOLDERS = [FOLDER.parent / ("_" + name) for name in NAMES if (FOLDER.parent / ("_" + name)).is_dir()]
BESIDE = sorted(path for folder in BESIDE_FOLDERS for path in folder.glob("*.py"))


def class_of(path):
    """The class that a provider's file holds; read from its text, so that a file that nobody imports is found too."""
    found = re.search(r"^class (\w+)\(Provider\b", path.read_text(), re.M)
    assert found, "%s has no class that begins with 'class …(Provider'" % path
    return found.group(1)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_is_in_the_list(path):
    listed = {cls.__name__ for cls in PROVIDERS.values()}
    assert class_of(path) in listed, "add %s to PROVIDERS in plugins/module_utils/_providers/__init__.py" % class_of(path)


def test_every_provider_has_a_file_of_its_own():
    assert {cls.__module__.rsplit(".", 1)[1] for cls in PROVIDERS.values()} == {path.stem for path in FILES}


@pytest.mark.parametrize("name", NAMES)
def test_facts(name):
    cls = PROVIDERS[name]
    assert name == cls.NAME and re.match(r"^[a-z]+$", name), "NAME of %s" % cls.__name__
    assert cls.TITLE and not cls.ENDPOINT.endswith("/"), "TITLE and ENDPOINT of %s" % cls.__name__
    assert issubclass(cls, Provider) and not cls.__abstractmethods__, "%s lacks %s" % (cls.__name__, set(cls.__abstractmethods__))
    assert cls.places_looked_at(), "%s does not say where its credentials are looked for" % cls.__name__


@pytest.mark.parametrize("name", NAMES)
def test_it_has_fixtures(name):
    folder = ROOT / "tests" / "fixtures" / name
    files = list(folder.glob("*.json"))
    assert files, "missing: tests/fixtures/%s/*.json" % name
    for path in files:
        json.loads(path.read_text())


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_page(name):
    page = ROOT / "docs" / "providers" / (name + ".md")
    assert page.is_file(), "missing: docs/providers/%s.md" % name
    text = page.read_text()
    cls = PROVIDERS[name]
    absent = [word for word in (*cls.API_KEY_ENV, *cls.ENDPOINT_ENV, *cls.OPTIONS) if word not in text]
    assert absent == [], "docs/providers/%s.md does not say: %s" % (name, ", ".join(absent))


@pytest.mark.parametrize("name", NAMES)
def test_the_options_name_it(name):
    described = " ".join(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]["provider"]["description"])
    assert "V(%s)" % name in described, "add V(%s) to plugins/doc_fragments/account.py" % name


@pytest.mark.parametrize("name", NAMES)
def test_it_stays_away_from_ansible_and_from_other_providers(name):
    text = (FOLDER / (PROVIDERS[name].__module__.rsplit(".", 1)[1] + ".py")).read_text()
    assert not re.search(r"^\s*(from|import) ansible\.", text, re.M)
    others = {path.stem for path in FILES} - {PROVIDERS[name].__module__.rsplit(".", 1)[1]}
    assert not re.search(r"_providers\.(%s) import" % "|".join(others), text)


@pytest.mark.parametrize("path", BESIDE, ids=lambda path: "%s/%s" % (path.parent.name, path.stem))
def test_what_lies_beside_a_provider_knows_no_provider_and_nothing_of_ansible(path):
    """Importing the list of providers from there would be a circle."""
    text = path.read_text()
    assert not re.search(r"^\s*(from|import) ansible\.|module_utils(\.| import )_providers\b", text, re.M)
    others = {folder.name for folder in BESIDE_FOLDERS} - {path.parent.name}
    assert not re.search(r"module_utils\.(%s)\b" % "|".join(sorted(others)), text)


def test_arguments_and_fragment_are_in_step():
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert set(documented) == set(_arguments.ACCOUNT)
    for name, rule in _arguments.ACCOUNT.items():
        assert documented[name]["type"] == rule["type"], name
        assert documented[name].get("default") == rule.get("default"), name


@pytest.mark.parametrize("module", [instance, instance_info, offer_info, ssh_key], ids=lambda module: module.__name__.rsplit(".", 1)[1])
def test_modules_and_their_docs_are_in_step(module):
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    spec = module.argument_spec()
    assert set(documented) | set(_arguments.ACCOUNT) == set(spec)
    for name, option in documented.items():
        if name != "provider":
            assert (option["type"], option.get("default"), option.get("choices")) == (
                spec[name]["type"],
                spec[name].get("default"),
                spec[name].get("choices"),
            ), name
    assert spec["api_key"]["no_log"] is True


def test_the_states_of_the_docs_are_those_of_the_model():
    assert yaml.safe_load(instance_info.DOCUMENTATION)["options"]["states"]["choices"] == list(STATES)


def test_every_mixin_has_a_method_without_a_body_of_its_own():
    assert all(mixin.__abstractmethods__ for mixin in MIXINS)


@pytest.mark.parametrize(("name", "hint"), [("vas", "Did you mean 'vast'?"), ("rehersal", "Did you mean 'rehearsal'?"), ("x", "Known: ")])
def test_an_unknown_provider_names_the_nearest(name, hint):
    with pytest.raises(RentedError, match="There is no provider '%s'" % name) as caught:
        provider_class(name)
    assert hint in str(caught.value)
