# SPDX-License-Identifier: GPL-3.0-or-later
# make help
SHELL := /bin/sh
.DEFAULT_GOAL := help
PATH := $(CURDIR)/.venv/bin:$(PATH)
export PATH
# Keeps what tests make out of the user's home.
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
export RENTED_GPU_HOME := $(CURDIR)/.cache/rented_gpu

PYTHON ?= python3
# The other supported pair of Python and ansible-core, where that Python exists.
OTHER_PYTHON := $(shell tests/other_python.sh $(PYTHON))

# The unit tests that touch Ansible.
ABOUT_ANSIBLE := tests/unit/test_lists.py $(addprefix tests/unit/plugins/,action inventory plugin_utils)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: demo
demo: engine ## two simulated instances from bare ssh to ready, twice, then destroyed
	@ansible-playbook -i inventory/rehearsal.rented.yml playbooks/rehearse.yml

.PHONY: test
test: lint units ## run all checks
	@# Sanity checks compute; integration tests mostly wait. So they run side by side.
	@$(MAKE) --no-print-directory engine
	@$(MAKE) --no-print-directory -j2 --output-sync=target sanity integration
	@$(MAKE) --no-print-directory scenarios package

.PHONY: quick
quick: .venv/.ready ## lint, and the unit tests of what changed since the last commit
	@ruff check .
	@ruff format --check --quiet .
	@python -m pytest -q -p no:xdist $$(python tests/quick.py)

.PHONY: fmt
fmt: .venv/.ready ## format the code, and fix what ruff can fix
	@ruff check --fix --quiet . || true
	@ruff format .

.PHONY: lint
lint: .venv/.ready ## style, option docs, changelog
	ruff check .
	ruff format --check .
	yamllint --strict .
	mypy
	ansible-lint --offline
	antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .
	antsibull-changelog lint

.PHONY: units
units: .venv/.ready ## unit tests and the benches' own; what touches Ansible also on the other supported ansible-core, where its Python exists
	python -m pytest -n 2 --durations=10 tests/unit tests/bench
ifneq ($(OTHER_PYTHON),)
	@requirements/python.sh .venv-other $(OTHER_PYTHON) requirements/dev.txt
	PATH="$(CURDIR)/.venv-other/bin:$$PATH" python -m pytest -n 2 --durations=10 $(ABOUT_ANSIBLE)
endif

# The releases of ansible-core by the argument CORE; release candidates too, which a comparison with ~= leaves out.
ANSIBLE_CORE = $(if $(filter devel,$(CORE)),--upgrade https://github.com/ansible/ansible/archive/devel.tar.gz,'ansible-core==$(CORE).*')

.PHONY: units-with
units-with: ## unit tests with another ansible-core: make units-with CORE=2.22 PYTHON=python3.13 (2.21 and later need Python 3.12)
	@[ -n "$(CORE)" ] || { echo "Say which: make units-with CORE=2.21" >&2; exit 1; }
	@requirements/system.sh python
	@requirements/python.sh .venv-$(CORE) $(PYTHON) requirements/dev.txt
	@.venv-$(CORE)/bin/python -m pip install --quiet --disable-pip-version-check --pre $(ANSIBLE_CORE)
	PATH="$(CURDIR)/.venv-$(CORE)/bin:$$PATH" python -m pytest -n 2 tests/unit

.PHONY: sanity
sanity: .venv/.ready ## ansible-test sanity and units
	tests/ansible_test.sh

.PHONY: integration
integration: engine ## roles and playbooks over real ssh to real containers
	python -m pytest -n 3 --dist loadfile --durations=10 tests/integration

.PHONY: scenarios
scenarios: engine ## molecule: every kind of instance
	tests/scenarios.sh

.PHONY: package
package: .venv/.ready ## build the collection and check it as Galaxy does
	tests/package.sh

.PHONY: bench
bench: engine ## how fast, how much memory, how many requests; as ratios, into docs/
	python tests/bench/inventory/run.py --write
	python tests/bench/inventory/scale.py --write
	python tests/bench/inventory/rivals.py --write
	python tests/bench/run.py --write docs/performance.md

.PHONY: docs
docs: ## the documentation site, in .cache/docs/html
	@requirements/system.sh python
	@requirements/python.sh .venv-docs $(PYTHON) requirements/docs.txt
	@.venv-docs/bin/python docs/docsite/build.py .cache/docs

.PHONY: engine
engine: .venv/.ready
	@requirements/system.sh engine
	@python tests/images/build.py

.venv/.ready: requirements/dev.txt requirements/uv.txt requirements/python.sh
	@requirements/system.sh python
	@requirements/python.sh .venv $(PYTHON) requirements/dev.txt

.PHONY: pins
pins: .venv/.ready ## compile requirements/*.in to pins, without addresses
	for name in runtime dev bench docs; do \
	  uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links --upgrade \
	    requirements/$$name.in --output-file requirements/$$name.txt; done

.PHONY: clean
clean: ## remove environments, caches and test containers
	@if [ -x .venv/bin/python ]; then .venv/bin/python tests/images/build.py --remove; fi
	rm -rf .venv .venv-* .cache tests/output
