# The two commands of the README: `make quickstart` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help quickstart test test-slow docs oracle arm64 lint bench clean

help:  ## show this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml .ci/constraints.txt
	@echo "installing into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --upgrade pip
	@$(BIN)/python -m pip install -qq -c .ci/constraints.txt -e '.[dev,docs]'
	@touch $@

quickstart: $(STAMP)  ## simulate, train, evaluate, export, serve: one table at the end
	$(BIN)/python -m zoo.quickstart

test: $(STAMP)  ## the default tests, two files at a time
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(STAMP)  ## the tests marked slow
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

lint: $(STAMP)  ## ruff: rules and formatting; import-linter: who imports whom
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/lint-imports

docs: $(STAMP)  ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build
	@echo "open site/index.html; to search it: $(BIN)/python -m http.server -d site"

oracle: $(STAMP)  ## TR 38.901 against other implementations (installs them)
	$(BIN)/python -m pip install --quiet -c .ci/constraints.txt -e '.[oracle]'
	$(BIN)/python -m pip install --quiet --no-deps sionna-no-rt==1.2.2
	$(BIN)/python -m pytest -rs tests/tfds_builders/test_tr38901_oracles.py

EXPORT ?= runs/quickstart/export
arm64: $(STAMP)  ## golden vectors of EXPORT on emulated arm64 (qemu)
	$(BIN)/python -m benchmarks.arm64 --export=$(EXPORT)

bench: $(STAMP)  ## simulator, training and input-pipeline speed
	$(BIN)/python -m benchmarks.simulators
	$(BIN)/python -m benchmarks.pipeline
	$(BIN)/python -m benchmarks.train

clean:  ## remove the virtual environment (runs are kept)
	rm -rf $(VENV)
