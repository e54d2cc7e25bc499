# Every verb does its own set-up on a machine with Python 3.11+ and make; the second run starts at once.
# Versions come from constraints.txt; where packages come from is the machine's own pip configuration.

VENV := .venv
BENCH := .venv-bench
PIN := -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
CHECKED := src tests

.DEFAULT_GOAL := help
.PHONY: help demo live-demo test test-slow check format bench constraints wheel clean

help:  ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(VENV)/.installed  ## replay six real weeks that come with the package
	@$(VENV)/bin/headrace demo

live-demo: $(VENV)/.live  ## run a simulated site over real protocols through a grid emergency, 60 times as fast
	@$(VENV)/bin/headrace live-demo

test: check  ## every check, then the tests a commit needs
	@$(VENV)/bin/pytest

test-slow: $(VENV)/.tested-with  ## the heavy tests: long replays, many random instances, real data
	@$(VENV)/bin/pytest -m slow

check: $(VENV)/.tested-with  ## lint, format, types, walls between rooms
	@$(VENV)/bin/ruff check $(CHECKED)
	@$(VENV)/bin/ruff format --check --quiet $(CHECKED)
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

format: $(VENV)/.tested-with  ## write the format that check asks for
	@$(VENV)/bin/ruff check --fix --quiet $(CHECKED)
	@$(VENV)/bin/ruff format --quiet $(CHECKED)

bench: $(BENCH)/.installed  ## measure against the peers, in one run (ARGS="dispatch --json")
	@$(BENCH)/bin/headrace bench $(or $(ARGS),dispatch)

constraints: $(VENV)/.installed  ## pin again after pyproject.toml changed (UPGRADE=--upgrade for newer releases)
	@$(VENV)/bin/python $(PIN) uv
	@$(VENV)/bin/uv pip compile pyproject.toml --extra live --extra postgres --group build --group dev --group bench --universal $(UPGRADE) \
	  --exclude-newer "2 days" --no-header --no-annotate --no-emit-index-url --quiet --output-file constraints.txt

wheel: $(VENV)/.installed  ## build the wheel into dist/
	@$(VENV)/bin/python -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:  ## remove environments and caches
	@rm -rf $(VENV) $(BENCH) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/.installed $(BENCH)/.installed: %/.installed: pyproject.toml constraints.txt
	@python=$$(for name in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done); \
	test -n "$$python" || { echo "Headrace needs Python 3.11 or newer; python3 here is $$(python3 --version 2>&1)." \
	  "Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 2; }; \
	test -x $*/bin/pip || "$$python" -m venv --clear $* || { rm -rf $*; \
	  echo "$$python cannot make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv"; exit 2; }
	@echo "installing into $* (once; about a minute)" >&2
	@$*/bin/python $(PIN) pip
	@$*/bin/python $(PIN) --group build
	@$*/bin/python $(PIN) --no-build-isolation --editable . $(if $(filter $(BENCH),$*),--group bench)
	@touch $@

$(VENV)/.live: $(VENV)/.installed
	@$(VENV)/bin/python $(PIN) --no-build-isolation --editable ".[live]"
	@touch $@

$(VENV)/.tested-with: $(VENV)/.live
	@$(VENV)/bin/python $(PIN) --group dev
	@touch $@
