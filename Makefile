# Four doors: demo, test, check, serve. Each sets up what it needs.
# make PYTHON=python3.12 chooses the Python; without it the environment keeps the one that it has, at first python3.
UV ?= uv
BIN := .venv/bin

.PHONY: demo test check serve bench fuzz screenshots lock wheel installs clean

demo: .venv/.demo
	$(BIN)/tandem demo

test: .venv/.test
	$(BIN)/pytest --numprocesses=auto --dist=loadfile --cov --cov-report=term

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
	$(BIN)/pytest tests/fuzz -k mutated --hypothesis-profile=fuzz --hypothesis-show-statistics

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
	$(COMPILE) --extra demo --extra drawing --extra build --extra postgresql --extra test -c requirements/demo.txt \
	  pyproject.toml -o requirements/test.txt
	$(COMPILE) --extra drawing --extra postgresql -c requirements/test.txt pyproject.toml -o requirements/server.txt
	echo hatchling | $(COMPILE) -c requirements/test.txt - -o requirements/build.txt

clean:
	rm -rf .venv .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# Always asked, and quick: install/environment knows what is there, also when it was broken off.
.PHONY: .venv/.demo .venv/.test
.venv/.demo:
	@PYTHON='$(PYTHON)' install/environment .venv requirements/demo.txt .

.venv/.test:
	@PYTHON='$(PYTHON)' install/environment .venv requirements/test.txt .
