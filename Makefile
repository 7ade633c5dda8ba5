# Main targets: demo, serve, docs, check, and the tests by what they cost (docs/testing.md). Each installs what it needs.
# make PYTHON=python3.12 chooses the Python; otherwise the environment keeps its own, initially python3.
UV ?= uv
BIN := .venv/bin

# Without bytecode, every test worker and every process that the tests start would recompile 1,600 modules.
unexport PYTHONDONTWRITEBYTECODE

# Each file runs in one worker, and the slowest files come first.
WORKERS = --numprocesses=$(or $(JOBS),auto) --dist=loadfile --no-loadscope-reorder
LANDING := tests/process tests/service tests/quick

.PHONY: demo quick test cover nightly interop check serve docs bench fuzz screenshots lock wheel installs clean

demo: .venv/.demo
	$(BIN)/tandem demo

quick: .venv/.test
	$(BIN)/pytest $(WORKERS) -p no:schemathesis --hypothesis-profile=quick tests/quick

# COVER=1 has the same run measure coverage where it can be measured: what runs in other processes is not.
test: .venv/.test
	$(BIN)/pytest $(WORKERS) -m "not nightly" --hypothesis-profile=ci $(if $(COVER),tests/process,$(LANDING))
	$(if $(COVER),$(MAKE) cover PROFILE=ci)

cover: .venv/.test
	$(BIN)/pytest $(WORKERS) -m "not nightly" --hypothesis-profile=$(or $(PROFILE),quick) --cov --cov-report=term tests/service tests/quick

nightly: .venv/.test
	$(BIN)/pytest $(WORKERS) --hypothesis-profile=nightly tests/nightly $(LANDING)

# Against HAPI FHIR on a stock Tomcat: needs a JDK (17 or newer), Maven, and Maven Central the first time (280 MB).
interop: .venv/.test
	mvn --quiet --batch-mode --file tests/support/reading/hapi/pom.xml dependency:copy-dependencies -DoutputDirectory='$(CURDIR)/build/interop/lib'
	javac -cp 'build/interop/lib/*' -d build/interop/classes tests/support/reading/hapi/FhirServer.java
	$(BIN)/pytest -p no:schemathesis --hypothesis-profile=quick tests/nightly/reading/test_hapi.py

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

# Runs the steps of the image in empty environments and compares the oldest pip with the newest; needs a package index.
installs: .venv/.test
	$(BIN)/python install/pips.py

# make lock UPGRADE=--upgrade selects the newest versions that pyproject.toml allows.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE)
lock:
	$(COMPILE) --extra demo --extra drawing --extra build pyproject.toml -o requirements/demo.txt
	$(COMPILE) --extra demo --extra drawing --extra build --extra postgresql --extra redis --extra telemetry --extra docs --extra test -c requirements/demo.txt \
	  pyproject.toml -o requirements/test.txt
	$(COMPILE) --extra drawing --extra postgresql --extra redis --extra telemetry -c requirements/test.txt pyproject.toml -o requirements/server.txt
	echo hatchling | $(COMPILE) -c requirements/test.txt - -o requirements/build.txt

clean:
	rm -rf .venv build .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# Always run, and fast: install/environment knows what is installed, even after an interruption.
.PHONY: .venv/.demo .venv/.test
.venv/.demo:
	@PYTHON='$(PYTHON)' install/environment .venv requirements/demo.txt .

.venv/.test:
	@PYTHON='$(PYTHON)' install/environment .venv requirements/test.txt .
