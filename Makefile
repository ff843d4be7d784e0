# Every task of the project: `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMPS := .venv/stamps

.DEFAULT_GOAL := help
.PHONY: help install install-dev run test check faults engines run-engines bench lock clean

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(STAMPS)/base $(STAMPS)/assets ## everything that running needs, into .venv

run: install ## the whole product in this terminal, with an agent of this machine
	@exec $(BIN)/picket up

test: install-dev ## all tests; with root on Debian against the real engines
	@ops/make/test

check: install-dev ## format, lint, types, imports, migrations, page sources
	@ops/make/check

faults: install-dev engines ## the long fault, soak and fuzz tests
	@$(BIN)/pytest -m faults --engines=all -p no:cacheprovider tests/faults

engines: $(STAMPS)/engines ## install RabbitMQ, Cassandra, Solr, MariaDB, PostgreSQL and Chromium

run-engines: install engines ## the product as separate processes on the real engines
	@exec $(BIN)/python -m ops.cluster

bench: install-dev ## every benchmark, short form, beside its peers
	@$(BIN)/python -m bench ingest --quick
	@$(BIN)/python -m bench events --quick

lock: install-dev ## pin anew what setup.py asks for
	@ops/make/lock

clean: ## remove what was built and installed here; data stays
	rm -rf .venv build dist *.egg-info webapp/assets/node_modules webapp/static/built .mypy_cache .ruff_cache .pytest_cache

install-dev: $(STAMPS)/dev $(STAMPS)/assets

$(STAMPS)/venv:
	@ops/make/venv $(PYTHON)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/base: $(STAMPS)/venv requirements.lock setup.py
	@$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/dev: $(STAMPS)/base requirements-dev.lock
	@$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

$(STAMPS)/engines: $(STAMPS)/base requirements-distributed.lock $(wildcard ops/engines/*.py)
	@$(BIN)/python -m ops.engines install
	@$(BIN)/pip install --quiet --require-hashes -r requirements-distributed.lock
	@touch $@

$(STAMPS)/assets: $(STAMPS)/base $(wildcard webapp/assets/src/* webapp/assets/*.json)
	@ops/make/assets
	@touch $@
