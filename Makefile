# Everything a newcomer runs. Needs make and Python 3.11 or later; the real Kafka in the demo and the tests also
# needs Java 17 and Maven, without which the demo takes its embedded broker and those tests are skipped.

PYTHON ?= $(shell sh requirements/python.sh)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LOCKER := .cache/lock/bin/pip-compile

# The compiled copy of the package goes first, and the folder we stand in does not.
NATIVE := PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/build/native:$(CURDIR)

.DEFAULT_GOAL := help
.PHONY: help demo test lint native test-native bench lock schemas clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Run a grocery chain's year through Kafka and prove the result (options: ARGS="--baskets 5000 --keep")
	@$(BIN)/loyalty-stream demo $(ARGS)

test: $(INSTALLED) ## Run all tests (options: ARGS="tests/domain -k expiry")
	$(BIN)/python -m pytest $(ARGS)

lint: $(INSTALLED) ## Check style, types, layers and schemas; change nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m loyalty_stream.app.schemas --check schemas/

native: $(INSTALLED) ## Compile the hot modules into build/native (needs a C compiler)
	$(BIN)/python native/build.py build/native

test-native: native ## Run the tests of what is compiled, compiled
	$(NATIVE) $(BIN)/python -m pytest tests/domain tests/engine tests/wire tests/app/test_ledger.py tests/app/test_simulate.py tests/app/test_pseudonyms.py tests/app/test_notifier.py tests/app/test_late_entries.py tests/app/test_worker_wiring.py $(ARGS)

bench: native ## Measure throughput on this machine, compiled (options: ARGS=--quick)
	$(NATIVE) $(BIN)/python -m benchmarks.run $(ARGS)

lock: $(LOCKER) ## Lock the dependencies anew, with hashes
	PATH="$(CURDIR)/.cache/lock/bin:$$PATH" sh requirements/compile.sh

schemas: $(INSTALLED) ## Generate schemas/ from the types
	$(BIN)/python -m loyalty_stream.app.schemas schemas/

clean: ## Remove the virtual environment and all caches
	rm -rf $(VENV) build .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(LOCKER):
	$(PYTHON) -m venv .cache/lock
	.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check pip-tools==7.6.2

# The stamp is written last, so an installation that broke off is done again.
$(INSTALLED): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or later is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1 || echo not there); name one: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
