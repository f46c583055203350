# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new provider needs, as docs/add_a_provider.md lists it. A failure names what is missing."""

from __future__ import annotations

import contextlib
import importlib
import json
import pathlib
import re

import pytest
import yaml

from ansible_collections.rented.gpu.plugins.doc_fragments.account import ModuleDocFragment
from ansible_collections.rented.gpu.plugins.inventory import instances
from ansible_collections.rented.gpu.plugins.module_utils._errors import MissingCredentials, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS, _arguments, provider_class
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import ABILITIES, Provider
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import FIELDS, STATES, LaunchRequest
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource_words import unsupported
from ansible_collections.rented.gpu.plugins.modules import instance, instance_info, offer_info, ssh_key
from ansible_collections.rented.gpu.plugins.plugin_utils._inventory import _accounts
from ansible_collections.rented.gpu.tests.fakes import everyone, schema

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "plugins" / "module_utils" / "_providers"
FILES = sorted(path for path in FOLDER.glob("*.py") if not path.name.startswith("_"))
NAMES = sorted(PROVIDERS)
# Packages of a provider: `_lambda` beside `lambda_cloud.py`, named by the provider.
BESIDE_FOLDERS = [FOLDER / ("_" + name) for name in NAMES if (FOLDER / ("_" + name)).is_dir()]
BESIDE = sorted(path for folder in BESIDE_FOLDERS for path in folder.glob("*.py"))

# The one shape of docs/providers/*.md.
ROWS = ["Key", "Rights", "Endpoint", "Login", "Can", "Cannot"]
HEADINGS = ["What the fields mean here", "Renting", "What it costs when stopped", "Good to know", "A minimal file"]
# What the rows "Can" and "Cannot" call the abilities.
WORDS = {
    "launch": ["rent", "destroy"],
    "stop": ["stop", "start"],
    "label": ["rename"],
    "attach_key": ["attach an SSH key"],
    "read_console": ["read the console"],
    "list_offers": ["list offers"],
    "register_key": ["keep SSH keys"],
    "bid": ["change a bid"],
}
# Variables of a host that are not fields of an instance.
FURTHER_VARIABLES = {"rented_raw", "rented_ssh_via", "rented_workdir", "rented_hosts"}
CACHE_OPTIONS = {"cache", "cache_plugin", "cache_connection", "cache_timeout"}  # of Ansible's own fragment


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
    files = {path.stem for path in FILES}
    assert {cls.__module__.rsplit(".", 1)[1] for cls in PROVIDERS.values()} == files, "one class of PROVIDERS for each file, %s" % FOLDER


@pytest.mark.parametrize("name", NAMES)
def test_facts(name):
    cls = PROVIDERS[name]
    assert name == cls.NAME and re.match(r"^[a-z]+$", name), "NAME of %s: small letters alone" % cls.__name__
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


@pytest.mark.parametrize("name", everyone.SERVICES)
def test_it_has_a_fake(name):
    stem = PROVIDERS[name].__module__.rsplit(".", 1)[1]
    assert (ROOT / "tests" / "fakes" / (stem + ".py")).is_file(), "missing: tests/fakes/%s.py, a server of its API" % stem
    fake = everyone.fake_of(name)
    # That of AWS is made of moto, and held against botocore's model.
    assert name == "aws" or (fake.__base__.__name__ == "FakeApi" and schema.raw(fake.NAME)["operations"]), "the schema of %s" % fake


@pytest.mark.parametrize("name", NAMES)
def test_it_has_tests(name):
    stem = PROVIDERS[name].__module__.rsplit(".", 1)[1]
    path = pathlib.Path("tests", "unit", "plugins", "module_utils", "_providers", "test_%s.py" % stem)
    assert (ROOT / path).is_file(), "missing: %s" % path


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_leads_to_its_page(name):
    place = "docs/providers/%s.md" % name
    assert "(%s)" % place in (ROOT / "README.md").read_text(), "README.md: no link to %s" % place


@pytest.mark.parametrize("name", everyone.SERVICES)
def test_the_first_steps_lead_to_its_page(name):
    place = "providers/%s.md" % name
    assert "(%s)" % place in (ROOT / "docs" / "getting_started.md").read_text(), "docs/getting_started.md: no row for %s" % place


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_page(name):
    page = ROOT / "docs" / "providers" / (name + ".md")
    assert page.is_file(), "missing: docs/providers/%s.md" % name
    text = page.read_text()
    cls = PROVIDERS[name]
    absent = [word for word in (*cls.API_KEY_ENV, *cls.ENDPOINT_ENV, *cls.OPTIONS) if word not in text]
    assert absent == [], "docs/providers/%s.md does not say: %s" % (name, ", ".join(absent))


def page(name) -> str:
    return (ROOT / "docs" / "providers" / (name + ".md")).read_text()


def without_code(text) -> str:
    """The text without its code blocks, in which a # begins a comment and no heading."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S)


def blocks(text, language) -> list:
    """The contents of all code blocks of a language."""
    return re.findall(r"^```%s\n(.*?)^```$" % language, text, re.M | re.S)


def section(name, heading) -> str:
    """What stands on a provider's page under a heading, with all of its ### parts."""
    return re.split(r"^## ", page(name).split("\n## %s\n" % heading)[1], maxsplit=1, flags=re.M)[0]


def rows(text) -> dict:
    """First cell -> second cell of all tables in a text."""
    return dict(re.findall(r"^\| (?!-)(.+?) \| (.+) \|$", without_code(text), re.M))


def phrases(cell) -> list:
    """What is said between commas; remarks in brackets do not count."""
    return [phrase.strip() for phrase in re.sub(r"\([^()]*\)", "", cell).split(",")]


def launch_options(name) -> list:
    """LAUNCH_OPTIONS of a provider, in its file or in the package of its parts. One that rents has them."""
    stem = PROVIDERS[name].__module__.rsplit(".", 1)[1]
    paths = [FOLDER / (stem + ".py")]
    for word in sorted({stem, stem.split("_")[0], name}):
        paths += (FOLDER / ("_" + word)).glob("*.py")
    for path in paths:
        if re.search(r"^LAUNCH_OPTIONS = [({]", path.read_text(), re.M):
            inside = ".".join(("_providers", *path.relative_to(FOLDER).with_suffix("").parts))
            return list(importlib.import_module("ansible_collections.rented.gpu.plugins.module_utils." + inside).LAUNCH_OPTIONS)
    assert not PROVIDERS[name].can("launch"), "%s has no LAUNCH_OPTIONS: the names that LaunchRequest.options may hold" % name
    return []


@pytest.mark.parametrize("name", NAMES)
def test_its_page_has_the_shape_of_all(name):
    text = page(name)
    headings = re.findall(r"^## (.+)$", without_code(text), re.M)
    assert headings == HEADINGS, "the headings of docs/providers/%s.md" % name
    assert len(re.findall(r"^# ", without_code(text), re.M)) == 1
    first = text.split("\n## ")[0]
    shape = r"<!-- SPDX-License-Identifier: GPL-3.0-or-later -->\n# [^\n]+\n\n[A-Z].+?\n\n```bash\n(.+?)\n```\n\n\| \| \|\n\|---\|---\|\n"
    begin = re.match(shape, first, re.S)
    assert begin, "docs/providers/%s.md begins with its title, a paragraph, a bash block and a table" % name
    assert "ansible-inventory -i" in begin.group(1)
    assert list(rows(first)) == ROWS, "the rows of the table of docs/providers/%s.md" % name
    for heading in HEADINGS:
        assert section(name, heading).strip(), "nothing stands under '%s' in docs/providers/%s.md" % (heading, name)


def test_every_ability_has_its_words():
    assert list(WORDS) == list(ABILITIES)


@pytest.mark.parametrize("name", NAMES)
def test_its_page_says_what_it_can_and_what_it_cannot(name):
    table = rows(page(name).split("\n## ")[0])
    able = [word for ability, words in WORDS.items() for word in words if PROVIDERS[name].can(ability)]
    unable = [word for ability, words in WORDS.items() for word in words if not PROVIDERS[name].can(ability)]
    assert phrases(table["Can"]) == ["list", *able], "the row Can of docs/providers/%s.md: details belong in brackets" % name
    said = phrases(table["Cannot"])
    assert said[: len(unable)] == unable, "the row Cannot of docs/providers/%s.md: what is missing first, then limits in other words" % name
    assert not set(said) & {"list", *able}, "docs/providers/%s.md says in Cannot what it can" % name


@pytest.mark.parametrize("name", NAMES)
def test_its_page_lists_its_launch_options_and_no_others(name):
    tables = re.findall(r"^\| option \|.*?(?=^[^|]|\Z)", section(name, "Renting"), re.M | re.S)
    listed = [option for table in tables for cell in rows(table) for option in re.findall(r"`(\w+)`", cell)]
    assert sorted(listed) == sorted(launch_options(name)), "the options under Renting in docs/providers/%s.md" % name


@pytest.mark.parametrize("name", [name for name in NAMES if PROVIDERS[name].can("launch")])
def test_what_cannot_be_rented_is_refused_before_anything_is_asked(name, monkeypatch, tmp_path):
    """For check mode: nobody is there who could answer."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "homework-1234")
    with contextlib.ExitStack() as stack:
        # All that its fake says it takes to be let in; some of it is a file that lives as long as the fake.
        fake = stack.enter_context(everyone.fake_of(name)()) if name in everyone.SERVICES else None
        for variable, value in fake.environment().items() if fake else ():
            monkeypatch.setenv(variable, value)
        provider = PROVIDERS[name](endpoint="http://127.0.0.1:9" if PROVIDERS[name].ENDPOINT else None)
        with pytest.raises(RentedError, match="'no_such_option'"):
            provider.check_request(LaunchRequest(name="hw", gpu="T4", options={"no_such_option": 1}))


@pytest.mark.parametrize("name", [name for name in NAMES if PROVIDERS[name].can("launch")])
def test_its_example_of_renting_is_one(name):
    (task,) = yaml.safe_load(blocks(section(name, "Renting"), "yaml")[0])
    given = task["rented.gpu.instance"]
    assert given["provider"] == name and set(given) <= set(instance.argument_spec())
    assert set(given.get("options", {})) <= set(launch_options(name))


@pytest.mark.parametrize("name", NAMES)
def test_its_minimal_file_is_an_inventory(name, monkeypatch, tmp_path):
    (block,) = blocks(section(name, "A minimal file"), "yaml")
    config = yaml.safe_load(block)
    assert config["plugin"] == instances.InventoryModule.NAME
    assert set(config) <= set(yaml.safe_load(instances.DOCUMENTATION)["options"])
    assert [entry["provider"] for entry in config["accounts"]] == [name]
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in PROVIDERS[name].API_KEY_ENV:
        monkeypatch.setenv(variable, "not-a-key")
    try:
        _accounts.given(config["accounts"], 30)
    except MissingCredentials:
        pass  # its login is a file; the options have been checked by then


def test_the_comments_of_the_inventory_file_are_an_inventory(monkeypatch, tmp_path):
    """inventory/rented.yml shows by comments what more there is: with their # taken away, the plugin takes all of it."""
    plugin, comments = re.search(r"^(plugin: .+\n)((?:.*\n)+)", (ROOT / "inventory" / "rented.yml").read_text(), re.M).groups()
    config = yaml.safe_load(plugin + "\n".join(re.findall(r"^# ((?:\w+:|  ).*)$", comments, re.M)))
    assert set(config) <= set(yaml.safe_load(instances.DOCUMENTATION)["options"]) | CACHE_OPTIONS and len(config) > 8
    (tmp_path / "teaching").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (tmp_path / "login.json").write_text('{"type": "authorized_user", "client_id": "1", "client_secret": "2", "refresh_token": "3"}')
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "login.json"))
    for name in ("VAST_API_KEY", "RUNPOD_API_KEY"):
        monkeypatch.setenv(name, "not-a-key")
    for entry in config["accounts"]:
        if "ssh_private_key_file" in entry:
            entry["ssh_private_key_file"] = str(tmp_path / "teaching")
        if "api_key" in entry:
            assert entry["api_key"].startswith("{{ lookup(")
            entry["api_key"] = "another-key"
    found = _accounts.given(config["accounts"], 30)
    assert [account.provider.NAME for account in found] == ["runpod", "aws", "gcp", "vast", "vast"]


@pytest.mark.parametrize("name", NAMES)
def test_the_variables_on_its_page_exist(name):
    known = {"rented_" + field for field in FIELDS} | FURTHER_VARIABLES
    for variable, star in set(re.findall(r"`(rented_\w+)(\*?)", page(name))):
        found = any(other.startswith(variable) for other in known) if star else variable in known
        assert found, "docs/providers/%s.md speaks of '%s', which does not exist" % (name, variable)


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
    assert not re.search(
        r"^\s*(from|import) ansible\.|module_utils import _providers\b|_providers import PROVIDERS|_providers\.(%s)\b"
        % "|".join(path.stem for path in FILES),
        text,
        re.M,
    )
    others = {folder.name for folder in BESIDE_FOLDERS} - {path.parent.name}
    assert not re.search(r"_providers\.(%s)\b" % "|".join(sorted(others)), text)


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


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_ability_is_explained(name):
    """Each ability has a sentence, and a provider's own sentences are about abilities that exist and that it lacks."""
    assert not [ability for ability in PROVIDERS[name].CANNOT if PROVIDERS[name].can(ability)]
    for ability in ABILITIES:
        assert PROVIDERS[name].TITLE in unsupported(PROVIDERS[name], ability).message or ability in PROVIDERS[name].CANNOT


def test_every_mixin_has_a_method_without_a_body_of_its_own():
    assert all(mixin.__abstractmethods__ for mixin in ABILITIES.values())


@pytest.mark.parametrize(("name", "hint"), [("vas", "Did you mean 'vast'?"), ("rehersal", "Did you mean 'rehearsal'?"), ("x", "Known: ")])
def test_an_unknown_provider_names_the_nearest(name, hint):
    with pytest.raises(RentedError, match="There is no provider '%s'" % name) as caught:
        provider_class(name)
    assert hint in str(caught.value)
