# `make demo` and `make test` do all the set-up on a machine that has Python 3.11+, pip and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo

.PHONY: demo test validate lint types benchmark clean

# Installed again when the project's own files change, not on every call.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

demo: $(VENV)/installed
	rm -rf $(DEMO)
	$(BIN)/supercrystal run examples/drying-pbs-oleate.toml -o $(DEMO)

test: $(VENV)/installed-test
	$(BIN)/python -m pytest

validate: $(VENV)/installed-test
	$(BIN)/python -m pytest -m long

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

benchmark: $(VENV)/installed-test
	$(BIN)/python benchmarks/protocol_overhead.py

clean:
	rm -rf $(VENV) runs
