# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: instances
short_description: Rented GPU instances of all your accounts
version_added: 0.1.0
author:
  - The rented.gpu contributors (@rented-gpu)
description:
  - Lists the instances of one or more accounts as hosts, with everything that is needed to reach them over SSH.
  - The inventory file's name must end in C(rented.yml) or C(rented.yaml).
  - Every host has a variable C(rented_<field>) for each field of an instance, for example C(rented_gpu_model),
    C(rented_gpu_count),
    C(rented_gpu_vram_mb), C(rented_price_per_hour), C(rented_provider), C(rented_id) and C(rented_state).
    What is not known is V(null).
  - Every host is in the group C(rented) and, as far as known, in C(provider_<name>), C(state_<state>),
    C(gpu_<model>), C(kind_<kind>),
    C(trust_<trust>), C(label_<label>) and C(interruptible). Group names are in lower case; characters other than
    letters and digits become C(_).
  - The host key of an instance is pinned at the first connection, below the collection's state directory, under
    the instance's own name.
    An address that another instance had before does no harm, and another key of the same instance stops the run.
notes:
  - Without further settings C(ansible-inventory) ends with status 0 even when an inventory source failed.
    Set E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=1) wherever a script looks at the status.
  - Text of an API (labels and the like) is never evaluated as a template.
  - Instances in none of the O(states) become no hosts. The variable C(rented_left_out) of the group C(all) lists them with C(name),
    C(provider), C(label), C(state), C(state_raw) and C(groups), so that a playbook can say that an instance is still loading.
  - Ansible's own C(ssh_args) and C(host_key_checking) have no effect on these hosts. Use
    C(ansible_ssh_extra_args) for more arguments of ssh.
requirements:
  - vastai 1.8.1 or newer, for accounts at Vast.ai
  - jmespath, for O(query)
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [rented.gpu.instances]
  accounts:
    description:
      - The accounts to ask, all at the same time.
      - If omitted, an account of every provider whose credentials are in their usual environment variable or file,
        and the hosts that M(rented.gpu.adopt) adopted.
      - An instance that two accounts of a provider list becomes one host, under the first of them, with a warning.
      - Every text in it may be a template.
      - Besides the options below, an account takes the options of its provider.
    type: list
    elements: dict
    suboptions:
      provider:
        description: The provider, for example V(vast), V(rehearsal) or V(adopted).
        type: str
        required: true
      name:
        description:
          - A name for the account. Needed where two accounts are at the same provider. Defaults to the
            provider's name.
        type: str
      api_key:
        description:
          - The API key. If omitted, the provider's usual environment variables and files are looked at.
          - Better a lookup than the key itself.
        type: str
        secret: true
      endpoint:
        description: The base URL of the API, without a trailing slash, where it is not the provider's usual one.
        type: str
      ssh_private_key_file:
        description:
          - The private SSH key for the instances of this account. If omitted, ssh chooses (its agent and usual
            files).
        type: path
  states:
    description:
      - Instances in these states become hosts.
      - One or more of V(pending), V(running), V(paused), V(stopping), V(stopped), V(terminated), V(error) and
        V(unknown).
    type: list
    elements: str
    default: [running]
  query:
    description:
      - A JMESPath expression over the list of instances that have one of the O(states), with the field names of
        an instance (without C(rented_)).
      - It chooses instances, and may sort and slice them; it cannot reshape them.
    type: str
  filters:
    description:
      - An ordered list of conditions on host variables. The first that holds decides; an instance for which
        none holds is included.
      - Each entry has one key, C(include) or C(exclude), and a Jinja condition or a boolean.
      - V(null) does not hold, for example C(rented_interruptible) where that is not known. A condition that
        cannot be evaluated is an error.
    type: list
    elements: dict
    default: []
    suboptions:
      include:
        description: The instance becomes a host when this holds.
        type: raw
      exclude:
        description: The instance does not become a host when this holds.
        type: raw
  hostname:
    description:
      - A template of the host's name, over the host's variables. If omitted, it is C(<provider>-<id>).
      - Signs that are unsafe in a host's name become C(-). A template that gives nothing for an instance falls
        back to the default.
      - A name that several instances share, or that a group has, becomes C(<name>-<provider>-<account>-<id>)
        for all of them.
    type: str
  ssh_via:
    description:
      - How instances are reached. V(auto) takes the direct way where there is one, and the provider's proxy
        otherwise.
    type: str
    choices: [auto, direct, proxy]
    default: auto
  on_provider_error:
    description:
      - What to do when an account does not answer. V(fail) gives no hosts at all and one message about all
        accounts that failed.
      - V(warn) goes on with the other accounts. Such an answer is never cached.
    type: str
    choices: [fail, warn]
    default: fail
  include_raw:
    description:
      - Whether hosts also have C(rented_raw), what the provider's API said about the instance. Secrets are
        removed, by their names and forms.
    type: bool
    default: false
  timeout:
    description:
      - Seconds that one request to an API may take, from the connection to the last byte of the answer.
      - A request that got no answer in that time is repeated, up to three times. One whose answer comes too slowly is not.
    type: float
    default: 30
  account_timeout:
    description:
      - Seconds that one account may take, with all pages, repeats and pauses. After that it counts as an account that does
        not answer, and O(on_provider_error) decides.
      - The default is enough for more than ten thousand instances at the pace that Vast.ai allows.
    type: float
    default: 600
"""

EXAMPLES = r"""
# rented.yml: every provider whose key is found
plugin: rented.gpu.instances

---
# course.rented.yml: two accounts at one provider, cheap and large enough, named by their labels
plugin: rented.gpu.instances
accounts:
  - provider: vast
    name: teaching
    api_key: "{{ lookup('ansible.builtin.env', 'VAST_TEACHING_KEY') }}"
  - provider: vast
    name: research
    api_key: "{{ lookup('ansible.builtin.file', '~/.keys/vast-research') }}"
    ssh_private_key_file: ~/.ssh/research
query: "[?gpu_vram_mb >= `24000` && price_per_hour < `1`]"
filters:
  - exclude: rented_interruptible
  - include: rented_trust in ['verified', 'datacenter']
  - exclude: true
hostname: "{{ rented_label or rented_id }}"
compose:
  rented_workdir: "'/workspace' if rented_kind == 'container' else '/home/' ~ rented_ssh_user"
keyed_groups:
  - key: rented_region
    prefix: region
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/rented
cache_timeout: 300
"""

import json

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.module_utils._plain import harmless
from ansible_collections.rented.gpu.plugins.module_utils._renting._deadline import MOST_SECONDS
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import FIELDS, STATES
from ansible_collections.rented.gpu.plugins.plugin_utils._inventory import _accounts, _choose, _left_out, _names
from ansible_collections.rented.gpu.plugins.plugin_utils._inventory._trial_inventory import Draft
from ansible_collections.rented.gpu.plugins.plugin_utils._show import _no_hosts
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh._connection import Connection, endpoint

try:
    from ansible.module_utils.secrets import register_secret
except ImportError:  # ansible-core < 2.22 masks nothing by itself

    def register_secret(*args, **kwargs):
        return None


VARIABLES = tuple((field, "rented_" + field) for field in FIELDS)


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "rented.gpu.instances"

    def verify_file(self, path):
        if not super().verify_file(path):
            return False
        if path.endswith(("rented.yml", "rented.yaml")):
            return True
        if _no_hosts.names_plugin(path, self.NAME):
            _no_hosts.remember(path, f"it is an inventory of {self.NAME}, whose name has to end in rented.yml or rented.yaml: rename it.")
        return False

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        try:
            self._read_options(path)
            accounts = self._accounts()
            answers = self._answers(accounts, path, cache)
            hosts = self._hosts(answers)
            self._populate(hosts)
            _no_hosts.forget(path)
        except RentedError as error:
            _no_hosts.remember(path, error.message)
            raise AnsibleParserError(error.message) from None  # the message is whole; a chain would print it twice
        except AnsibleError as error:
            _no_hosts.remember(path, str(error))
            raise

    # --- options -----------------------------------------------------------------------------------------------

    def _read_options(self, path):
        """Read the file; an option that does not exist is an error, not a wish."""
        config = self.loader.load_from_file(path, cache="none")
        if not isinstance(config, dict):
            raise RentedError(f"{path} is not a mapping of options; its first line is 'plugin: {self.NAME}'.")
        known = set(self.option_definitions) | {"plugin"}
        for option in config:
            if option not in known:
                raise RentedError(f"The option '{option}' does not exist. {nearest(str(option), known)}")
        if isinstance(config.get("accounts"), dict):  # Ansible's own message would show the key
            raise RentedError("The option 'accounts' must be a list: put '- ' before the first line of each account.")
        self._read_config_data(path)
        for state in self._rendered("states"):
            if state not in STATES:
                raise RentedError(f"The option 'states' knows no state '{state}'. {nearest(str(state), STATES)}")
        for option in ("timeout", "account_timeout"):
            if not 0 < self.get_option(option) <= MOST_SECONDS:
                raise RentedError(f"The option '{option}' must be more than 0 seconds, and at most {MOST_SECONDS}.")

    def _rendered(self, option):
        """An option of the file with its templates rendered, as plain Python data."""
        self.templar.available_variables = self._vars
        try:
            value = self.templar.template(self.get_option(option))
        except AnsibleError as error:
            raise RentedError(f"The option '{option}' cannot be rendered: {error}")
        # Threads and providers must not see Ansible's tagged types; vaulted values become their text.
        return json.loads(json.dumps(value, default=str))

    # --- accounts → answers ------------------------------------------------------------------------------------

    def _accounts(self):
        """The accounts of the file, or every one that is found; no request is made."""
        timeout = self.get_option("timeout")
        named = self.get_option("accounts") is not None
        accounts = _accounts.given(self._rendered("accounts"), timeout) if named else _accounts.found(timeout)
        for account in accounts:
            account.provider.account_timeout = self.get_option("account_timeout")
            for secret in account.provider.secrets():
                register_secret(secret)
            self.display.vv("Using the %s at %s" % (account.title, account.provider.endpoint or "its usual place"))
        return accounts

    def _answers(self, accounts, path, cache):
        """What the accounts answer, from the cache where it may be. A partial answer is never cached."""
        keep_raw = self.get_option("include_raw")
        use_cache = self.get_option("cache")
        identities = [account.provider.identity() for account in accounts]
        key = f"{self.get_cache_key(path)}_{_stamps.digest([identities, keep_raw])}"
        if use_cache and cache:
            try:
                answers = _accounts.from_cache(accounts, self._cache[key])
            except KeyError:
                answers = None
            except Exception as error:  # each cache plugin has its own for a damaged entry
                self.display.v(harmless(f"The cached instances cannot be read, asking again: {error}"))
                answers = None
            if answers is not None:
                return answers
        answers = _accounts.ask(accounts, keep_raw)
        failures = [answer for answer in answers if answer.failure]
        if failures:
            self._report(failures, len(accounts))
        elif use_cache:
            self._cache[key] = _accounts.to_cache(answers)
        return answers

    def _report(self, failures, asked):
        text = " ".join(f"{answer.account.title}: {answer.failure}" for answer in failures)
        if self.get_option("on_provider_error") == "warn":
            self._warn(f"The list of instances is not complete, {len(failures)} of {asked} accounts did not answer. {text}")
            return
        hint = " Set 'on_provider_error: warn' to go on with the other accounts." if asked > len(failures) else ""
        raise RentedError(f"{len(failures)} of {asked} accounts did not answer, so nothing is listed. {text}{hint}")

    def _warn(self, text):
        """The one way out for warnings: they repeat what APIs said."""
        self.display.warning(harmless(text))

    # --- answers → hosts ---------------------------------------------------------------------------------------

    def _hosts(self, answers):
        """The instances that become hosts: a list of ``(instance, variables)``."""
        answers, sentences = _accounts.once(answers)
        for sentence in [*sentences, *(sentence for answer in answers for sentence in answer.warnings)]:
            self._warn(sentence)
        answer_of = {
            (answer.account.provider.NAME, instance.account, instance.id): answer for answer in answers for instance in answer.instances
        }
        every = [instance for answer in answers for instance in answer.instances]
        states = self._rendered("states")
        chosen = [instance for instance in every if instance.state in states]
        _left_out.note(self.inventory, every, chosen)
        if len(chosen) < len(every):
            self.display.v("%d of %d instances are in none of the states %s" % (len(every) - len(chosen), len(every), ", ".join(states)))
        if self.get_option("query"):
            chosen = _choose.choose(self._rendered("query"), chosen)
        connection = Connection()
        hosts = []
        for instance in chosen:
            hosts.append((instance, self._variables(instance, answer_of[(instance.provider, instance.account, instance.id)], connection)))
        missing = [_names.default_name(instance) for instance, variables in hosts if "ansible_host" not in variables]
        if missing:
            self._warn(
                "No address for ssh_via '%s' is known (yet) of: %s"
                % (self.get_option("ssh_via"), ", ".join(missing[:10]) + (" …" if missing[10:] else ""))
            )
        return [host for host in hosts if self._included(*host)] if self.get_option("filters") else hosts

    def _variables(self, instance, answer, connection):
        via = self.get_option("ssh_via")
        variables = {name: getattr(instance, field) for field, name in VARIABLES}
        variables["rented_ssh_via"] = endpoint(instance, via)[2]
        if self.get_option("include_raw"):
            variables["rented_raw"] = answer.raw.get(instance.id)
        variables.update(connection.variables(instance, via, answer.account.ssh_private_key_file))
        return variables

    def _included(self, instance, variables):
        """The first condition that holds decides; without one the instance is included."""
        self.templar.available_variables = dict(self._vars, **variables)
        for number, entry in enumerate(self.get_option("filters"), 1):
            if not isinstance(entry, dict) or len(entry) != 1 or next(iter(entry)) not in ("include", "exclude"):
                raise RentedError(f"Filter {number} must have one key, 'include' or 'exclude', and a condition.")
            ((verdict, condition),) = entry.items()
            try:
                holds = condition if isinstance(condition, bool) else self.templar.evaluate_expression(condition)
                if holds is not None and not isinstance(holds, bool):
                    raise RentedError(f"it gives {holds!r}, not true or false")
            except Exception as error:  # Jinja's and the operators' own errors too
                raise RentedError(
                    f"Filter {number} ({verdict}: {condition}) cannot be evaluated for "
                    f"{_names.default_name(instance)}: {str(error).rstrip('.')}. Unknown values are null."
                )
            if holds:
                return verdict == "include"
        return True

    # --- hosts → inventory -------------------------------------------------------------------------------------

    def _populate(self, hosts):
        """Name everything, try it on a draft, and only then touch the inventory."""
        inventory = self.inventory
        instances = [instance for instance, _variables in hosts]
        wanted = [self._wanted_name(*host) for host in hosts]
        taken = (
            set(inventory.groups)
            | set(C.LOCALHOST)
            | {_names.GROUP}
            | {self._sanitize_group_name(name) for name in self.get_option("groups")}
        )
        taken.update(group for instance in instances for group in _names.group_names(instance))
        taken.update(name for instance, name in zip(instances, wanted) if self._is_another(inventory.hosts.get(name), instance))
        try:
            while True:
                names = _names.host_names(instances, wanted, taken)
                draft = self._draft(inventory, zip(names, hosts))
                if not draft.clashes() - taken:
                    break
                taken.update(draft.clashes())
        finally:
            self.inventory = inventory
        draft.copy_into(inventory)

    def _wanted_name(self, instance, variables):
        """What the user wants to call it; whatever is wrong with the name is seen to later."""
        template = self.get_option("hostname")
        if not template:
            return _names.default_name(instance)
        self.templar.available_variables = dict(self._vars, **variables)
        try:
            name = self.templar.template(template)
        except AnsibleError as error:
            raise RentedError(f"The host name of {_names.default_name(instance)} cannot be made from {str(template)!r}: {error}")
        if str(template) in variables:
            raise RentedError(f"The option 'hostname' is a template: write \"{{{{ {template} }}}}\".")
        return _names.host_word("" if name is None else name) or _names.default_name(instance)

    @staticmethod
    def _is_another(host, instance):
        """Whether an earlier source has another rented instance under this name; other hosts may be meant to be merged."""
        there = (host.vars.get("rented_provider"), host.vars.get("rented_id")) if host else (None, None)
        return there[1] is not None and there != (instance.provider, instance.id)

    def _draft(self, inventory, named_hosts):
        """Everything on a draft. Built-in groups are made in Python; only what the user wrote is templated."""
        self.inventory = draft = Draft()
        draft.current_source = inventory.current_source
        draft.add_group(_names.GROUP)
        constructed = [
            (self.get_option("compose"), self._set_composite_vars, {}),
            (self.get_option("groups"), self._add_host_to_composed_groups, {"fetch_hostvars": False}),
            (self.get_option("keyed_groups"), self._add_host_to_keyed_groups, {"fetch_hostvars": False}),
        ]
        skipped = {}
        for name, (instance, variables) in named_hosts:
            draft.add_host(name)
            draft.set_variables(name, variables)
            for group in _names.group_names(instance):
                draft.add_group(group)
                draft.add_child(group, name)
            for entries, add, arguments in constructed:
                if entries:
                    self._construct(entries, add, name, arguments, skipped)
        for entry, (count, reason) in skipped.items():
            self.display.v(harmless(f"{entry} was skipped for {count} hosts, for example: {reason}"))
        return draft

    def _construct(self, entries, add, name, arguments, skipped):
        """Entries of compose, groups or keyed_groups for one host. Not strict, an error skips the entry, and is counted."""
        strict = self.get_option("strict")
        variables = self.inventory.get_host(name).get_vars()
        for entry in [{key: entries[key]} for key in entries] if isinstance(entries, dict) else [[entry] for entry in entries]:
            try:
                add(entry, variables, name, strict=True, **arguments)
            except AnsibleError as error:
                if strict:
                    raise
                try:
                    add(entry, variables, name, strict=False, **arguments)
                except AnsibleError as always:  # an error that is one without strict too does not say where it is
                    raise AnsibleParserError(harmless(f"{entry} is wrong for host {name}: {always}")) from None
                count = skipped.get(str(entry), (0, ""))[0]
                skipped[str(entry)] = (count + 1, str(error))
