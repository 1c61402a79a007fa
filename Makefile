# The two commands: make demo, make test. Everything is installed into .venv from the lock files in packaging/; what is shipped
# is built with build/venv, in which there is nothing of the tests.

SECONDS ?= 30
AREA ?=
ROWS ?=
STEP ?=
PYTHON ?= python3
UV ?= uv
export PYTHON UV
export PATH := $(PATH):/usr/sbin:/sbin

BIN := .venv/bin
RUNTIME := .venv/.installed-runtime
DEV := .venv/.installed-dev
BUILD := build/venv/.installed-build
NODE := tests/sim/node/node_modules/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test faults bench package package-test lint ruff types windows compiled format lock tools clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*  ## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(RUNTIME)  ## a plant, a platform and the agent, for SECONDS (30)
	$(BIN)/floorgate demo --seconds $(SECONDS)

test: $(DEV) tools $(NODE)  ## lint, and every test
	@$(MAKE) --no-print-directory -j 2 lint compiled
	$(BIN)/pytest

faults: $(DEV) tools $(NODE)  ## break everything, often, and print the table; ROWS names some of it (root for all of it)
	$(BIN)/python tests/faults/run.py $(ROWS)
	$(if $(ROWS),,FLOORGATE_LONG=1 $(BIN)/pytest --timeout 900 tests/unit tests/cases tests/e2e)

bench: $(DEV) tools  ## speed and memory against their bars, of one AREA or all
	$(BIN)/python tests/bench/run.py $(AREA)

package: $(BUILD)  ## everything that is shipped, into dist/; STEP names some of it
	build/venv/bin/python -B packaging/package.py $(STEP)

package-test: $(DEV) $(BUILD) tools  ## prove what lies in dist/ on Debian machines, as root; ROWS names some of it
	packaging/try/tools.sh
	$(if $(ROWS),,build/venv/bin/python -B packaging/try/frozen.py)
	$(if $(ROWS),,build/venv/bin/python -B packaging/try/broken_build.py)
	$(if $(ROWS),,$(BIN)/python -B packaging/try/monitoring.py build/onedir/floorgate/floorgate)
	$(BIN)/python -B packaging/try/run.py $(ROWS)

lint: ruff types windows  ## ruff and mypy

ruff: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy
	$(BIN)/mypy packaging

windows: $(DEV)
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32

# The tests start the agent two hundred times, and where Python is told to keep nothing, each start compiles 700 modules.
compiled: $(DEV)
	@$(BIN)/python -m compileall -q agent drivers buffer tests
	@-PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 0 -p no:cacheprovider --collect-only -qq > /dev/null

format: $(DEV)  ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:  ## pin the dependencies anew
	packaging/lock.sh $(ARGS)

tools:
	@packaging/tools.sh

clean:  ## remove everything that was installed or built
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/sim/node/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): packaging/requirements.txt packaging/bootstrap.sh pyproject.toml
	packaging/bootstrap.sh $<
	@touch $@

$(DEV): packaging/requirements-dev.txt packaging/bootstrap.sh pyproject.toml
	packaging/bootstrap.sh $<
	@touch $@

$(BUILD): packaging/requirements-build.txt packaging/bootstrap.sh
	packaging/bootstrap.sh $< build/venv
	@touch $@

$(NODE): tests/sim/node/package.json tests/sim/node/package-lock.json | tools
	npm ci --prefix tests/sim/node --ignore-scripts --no-audit --no-fund
	@touch $@
