# Doors: demo, serve, check, and the tests by what they cost (docs/testing.md). Each sets up what it needs.
PYTHON ?= python3
UV ?= uv
BIN := .venv/bin

# Where bytecode is not kept, every worker of the tests and every process that they start compiles 1,600 modules anew.
unexport PYTHONDONTWRITEBYTECODE

# A file is run by one worker, and the files that take longest come first.
WORKERS := --numprocesses=auto --dist=loadfile --no-loadscope-reorder
# COVER=1 has the same run measure branch coverage.
COVER ?=
LANDING := tests/process tests/service tests/quick

.PHONY: demo quick test cover nightly check serve bench fuzz screenshots lock clean

demo: .venv/.demo
	$(BIN)/tandem demo

quick: .venv/.test
	$(BIN)/pytest $(WORKERS) -p no:schemathesis --hypothesis-profile=quick tests/quick

test: .venv/.test
	$(BIN)/pytest $(WORKERS) --hypothesis-profile=ci $(if $(COVER),--cov --cov-report=term) $(LANDING)

cover:
	$(MAKE) test COVER=1

nightly: .venv/.test
	$(BIN)/pytest $(WORKERS) --hypothesis-profile=nightly tests/nightly $(LANDING)

check: .venv/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

serve: .venv/.demo
	$(BIN)/tandem serve

bench: .venv/.test
	bench/run

fuzz: .venv/.test
	$(BIN)/pytest tests/service/fuzz -k mutated --hypothesis-profile=fuzz --hypothesis-show-statistics

screenshots: .venv/.test
	$(BIN)/python -m bench.screenshots

lock:
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --extra demo --extra drawing --extra build pyproject.toml -o requirements/demo.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --extra demo --extra drawing --extra build --extra postgresql --extra test -c requirements/demo.txt pyproject.toml -o requirements/test.txt

clean:
	rm -rf .venv .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Tandem needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)'; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.demo: .venv/bin/python requirements/demo.txt pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/demo.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.test: .venv/.demo requirements/test.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/test.txt
	@touch $@
