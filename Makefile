# All that anyone needs. `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# Whole files go to workers, in the order of tests/conftest.py; ARGS=-n0 runs them in one process.
PYTEST := $(BIN)/python -m pytest -n $(shell nproc) --dist loadfile --no-loadscope-reorder
CORE   := tests/unit tests/property tests/rights tests/cases tests/protocol tests/confusion

.DEFAULT_GOAL := help
.PHONY: help env dev demo test test-fast check format cases docs docs-links pictures bench fuzz soak lock clean

help:  ## this list
	@grep -E '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

env: $(VENV)/.run  ## the environment to run mailguard: .venv/bin/mailguard

dev: $(VENV)/.dev  ## the environment to work on mailguard

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "mailguard needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "Python's venv module is missing; install it with: apt-get install python3-venv"; exit 1; }

$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: env  ## the example district on loopback, with sample messages (ONCE=1 ends by itself)
	$(BIN)/mailguard demo $(if $(ONCE),--once)

test: dev  ## the tests, on all CPUs; what needs a peer that is missing is skipped and says so
	$(PYTEST) $(ARGS)

test-fast: dev  ## the core of the tests, in less than two minutes: no peers, no processes
	$(PYTEST) $(CORE) $(ARGS)

check: dev  ## formatting, lint, types, import floors, references up to date
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m mailguard.reference --check docs/reference

format: dev  ## write the formatting
	$(BIN)/ruff format src tests bench
	$(BIN)/ruff check --fix src tests bench

cases: dev  ## rewrite the outputs of tests/cases from what the code does now; review the diff
	$(BIN)/python -m tests.cases.rewrite

docs: dev  ## rewrite docs/reference from the code
	$(BIN)/python -m mailguard.reference docs/reference

docs-links: dev  ## rewrite the tables of docs/links.md (needs chromium, chromium-driver)
	$(BIN)/python -m tests.support.link_tables
	$(BIN)/python -m tests.browser.rendering

pictures: dev  ## take the pictures in docs/images anew (needs chromium, chromium-driver)
	$(BIN)/python -m tests.browser.pictures

bench: dev  ## CPU per message through the whole of serve
	$(BIN)/python bench/run.py $(ARGS)

bench-%: dev  ## one of bench/*.py: identity, edits, directory, allowlist, scorer
	$(BIN)/python bench/$*.py $(ARGS)

fuzz: dev  ## ten thousand hostile messages through check --batch; six thousand through edits
	$(BIN)/python -m pytest -m slow -s tests/hostile tests/corpus $(ARGS)

soak: dev  ## the faults to survive, at length: half an hour; prints figures
	$(BIN)/python -m pytest -m slow -s tests/soak $(ARGS)

lock:  ## write the lock files anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --all-extras pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --all-extras --group dev pyproject.toml -o requirements-dev.lock

clean:  ## remove the environment and what tools left
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
