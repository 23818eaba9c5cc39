# Everything a person or a machine needs to type. `make demo` and `make test` set up what they need by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
N ?= 20
STEPS ?= 10000

.PHONY: setup demo test smoke release-check lint unit integration e2e crash property bench kit-real docs clean

setup: $(STAMP)

$(STAMP): pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Écluse needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@command -v git >/dev/null || { echo "Écluse needs git 2.38 or newer; install it with your system's package manager" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q ecluse
	@touch $(STAMP)

demo: setup
	$(BIN)/ecluse demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_floors.py

unit: setup
	$(BIN)/pytest -q -n 2 tests/unit tests/test_floors.py

integration: setup
	$(BIN)/pytest -q -n 2 tests/integration

e2e: setup
	$(BIN)/pytest -q -n 2 tests/e2e

# The unit tests as the workflow of this repository runs them, by our own engine, in an environment of their own.
smoke: setup
	$(BIN)/ecluse run .github/workflows/ci.yml --job test-smoke

# A rehearsal on a clone: the playbook of this repository driven by `ecluse release`, the package, a clean install, the demo.
release-check: setup
	sh .ci/release-check $(CURDIR)/$(BIN)/ecluse build/release-check

test: lint smoke
	$(BIN)/pytest -q -n 2 --dist worksteal tests

crash: setup
	ECLUSE_CRASH_ROUNDS=$(N) $(BIN)/pytest -q -s -m crash tests

property: setup
	ECLUSE_PROPERTY_STEPS=$(STEPS) $(BIN)/pytest -q -s -m property tests

# The delivery kit on repositories made of published packages: a table, with the reason of each red. Needs pip and npm.
kit-real: setup
	$(BIN)/python -m bench.kit_real $(KINDS)

# The documentation as a site below build/docs; a dead link is an error.
docs: setup
	$(BIN)/python -m pages build

bench: setup
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache dist build

# What the kit has for a repository like this one: test-ecluse-unit, -integration, -e2e, test-all.
include kit.mk
