# make run        start erpbridge with demo data; needs Python 3.11 or newer and nothing else
# make tryton     start a real ERP beside it, Tryton, with a demo account connected to it
# make test       every test on PostgreSQL + Redis, and on SQLite what depends on the database
# make bench      the benchmarks: every figure a ratio; BENCH="NAME ..." runs some of them
# make torture    a fault campaign: kill and stop processes, then compare with the ERP's own records
# make check      format, lint, types, import contracts, settings
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run tryton deps test torture e2e bench check format lock clean

PYTHON ?= python3
# The suite starts Python some hundred times: what was compiled once is kept.
export PYTHONDONTWRITEBYTECODE :=
PORT ?= 8000
TRYTON_PORT ?= 8069
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
CHROMIUM := $(shell command -v chromium)
# Three processes on two cores: much of the time goes by waiting for the browser and the servers.
# Files are given out in the order in which they were collected, see tests/conftest.py.
# Tests run in an order that the seed makes, so that a failure can be repeated: make test SEED=2.
SEED ?= 1
PYTEST := $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --randomly-seed=$(SEED)

help:
	@sed -n 's/^# make /make /p' Makefile

run: $(VENV)/.run-installed
	@exec $(BIN)/python manage.py serve --demo --port $(PORT)

# Tryton lives in a virtual environment and a process of its own, and is spoken to over HTTP.
tryton: $(VENV)/.dev-installed
	@exec $(BIN)/python -m tests.tryton serve --port $(TRYTON_PORT)

# SQLite first, with what the rule in tests/db/on_sqlite.py chooses; then everything on servers of our
# own. The closing line of the second run is the last one printed.
test: deps $(VENV)/.dev-installed
	@bin/clients
	@$(BIN)/python -m tests.tryton prepare
	@$(PYTEST) -m "on_sqlite and not shared"
	@$(BIN)/python -m tests.servers -- $(PYTEST) --durations=25

# Long; `make test` runs a short form of it.
torture: deps $(VENV)/.dev-installed
	@$(BIN)/python -m tests.tryton prepare
	@$(BIN)/python -m tests.faults

e2e: deps $(VENV)/.dev-installed
	@$(PYTEST) -m "not shared" tests/browser

bench: deps $(VENV)/.dev-installed
	@$(BIN)/python -m tests.tryton prepare
	@$(BIN)/python -m bench $(BENCH)

check: $(VENV)/.dev-installed
	@bin/check

format: $(VENV)/.dev-installed
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

deps:
	@bin/deps

# Versions and hashes for every platform, and no address of any host.
lock: $(VENV)/.uv-installed
	@echo "uv" | $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --upgrade - --output-file requirements-uv.lock
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header pyproject.toml \
		--output-file requirements.lock
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header pyproject.toml --extra dev \
		--constraint requirements.lock --output-file requirements-dev.lock
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header requirements-tryton.in \
		--output-file requirements-tryton.lock
	@$(UV) pip compile --quiet --universal --python-version 3.12 --generate-hashes \
		--no-emit-index-url --no-header tests/clients/python/requirements.in \
		--output-file tests/clients/python/requirements.lock

clean:
	@rm -rf $(VENV) .venv-tryton var/tryton var/clients static-collected .mypy_cache .ruff_cache .pytest_cache *.egg-info

$(BIN)/python:
	@bin/make-venv $(PYTHON) $(VENV)

$(VENV)/.uv-installed: requirements-uv.lock | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement requirements-uv.lock
	@touch $@

# Installed again only when a lock file changed. The development set contains the other one, so an
# environment that once held it keeps it.
$(VENV)/.run-installed: requirements.lock pyproject.toml $(VENV)/.uv-installed
	@if [ -e $(VENV)/.dev-installed ]; then bin/install requirements-dev.lock; \
		touch $(VENV)/.dev-installed; else bin/install requirements.lock; fi
	@touch $@

$(VENV)/.dev-installed: requirements-dev.lock pyproject.toml $(VENV)/.uv-installed
	@bin/install requirements-dev.lock
	@touch $(VENV)/.run-installed $@
