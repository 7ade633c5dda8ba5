# Doors: demo, serve, docs, check, and the tests by what they cost (docs/testing.md). Each sets up what it needs.
# make PYTHON=python3.12 chooses the Python; without it the environment keeps the one that it has, at first python3.
UV ?= uv
BIN := .venv/bin

# Where bytecode is not kept, every worker of the tests and every process that they start compiles 1,600 modules anew.
unexport PYTHONDONTWRITEBYTECODE

# A file is run by one worker, and the files that take longest come first.
WORKERS := --numprocesses=auto --dist=loadfile --no-loadscope-reorder
# COVER=1 has the same run measure branch coverage.
COVER ?=
LANDING := tests/process tests/service tests/quick

.PHONY: demo quick test cover nightly check serve docs bench fuzz screenshots lock wheel installs clean

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

docs: .venv/.test
	$(BIN)/python -m docs.generator pages build
	$(BIN)/zensical build --strict --clean --config-file build/zensical.toml
	$(BIN)/python -m docs.generator check build

bench: .venv/.test
	bench/run

fuzz: .venv/.test
	$(BIN)/pytest tests/service/fuzz -k mutated --hypothesis-profile=fuzz --hypothesis-show-statistics

screenshots: .venv/.test
	$(BIN)/python -m bench.screenshots

wheel:
	@PYTHON='$(PYTHON)' install/wheel dist

# The steps of the image in empty environments, and the oldest pip against the newest: needs a package index.
installs: .venv/.test
	$(BIN)/python install/pips.py

# make lock UPGRADE=--upgrade takes the newest versions that pyproject.toml allows.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE)
lock:
	$(COMPILE) --extra demo --extra drawing --extra build pyproject.toml -o requirements/demo.txt
	$(COMPILE) --extra demo --extra drawing --extra build --extra postgresql --extra docs --extra test -c requirements/demo.txt \
	  pyproject.toml -o requirements/test.txt
	$(COMPILE) --extra drawing --extra postgresql -c requirements/test.txt pyproject.toml -o requirements/server.txt
	echo hatchling | $(COMPILE) -c requirements/test.txt - -o requirements/build.txt

clean:
	rm -rf .venv build .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# Always asked, and quick: install/environment knows what is there, also when it was broken off.
.PHONY: .venv/.demo .venv/.test
.venv/.demo:
	@PYTHON='$(PYTHON)' install/environment .venv requirements/demo.txt .

.venv/.test:
	@PYTHON='$(PYTHON)' install/environment .venv requirements/test.txt .
