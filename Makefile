# Everything goes through .venv; nothing is installed elsewhere. `make help` lists the targets.
PYTHON ?= python3
DEVICE ?= local
SUITE  ?= quantization
MODEL  ?=
ARGS   ?=

VENV := .venv
BIN  := $(VENV)/bin
# Byte code is left to the first import: it halves the time to a working environment.
PIP  := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
# The CPU build of torch: an index that serves one (see README), or a plain pip that already resolves to one.
TORCH := $(shell grep '^torch==' constraints.txt)
TORCH_INDEX ?=

.DEFAULT_GOAL := help
.PHONY: help bench quick report doctor test test-fast check format bench-self install install-dev \
        install-tflite-runtime install-peers peers simulate prove torture grow test-oldest emulate agent clean \
        distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-24s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  make bench DEVICE=jetson SUITE=quick MODEL=my.onnx ARGS='--budget 3m' pass through to boardmark run"

bench: $(VENV)/installed ## set up, measure SUITE on DEVICE, open the report
	@$(BIN)/boardmark run --device $(DEVICE) --suite $(SUITE) $(if $(MODEL),--model $(MODEL)) --open $(ARGS)

quick: $(VENV)/installed ## the same path in seconds, on a small classifier
	@$(BIN)/boardmark run --device $(DEVICE) --suite quick $(ARGS)

report: $(VENV)/installed ## draw and open the latest session's report again
	@$(BIN)/boardmark report --open

doctor: $(VENV)/installed ## what can this machine measure, and what would fix the rest
	@$(BIN)/boardmark doctor

test: $(VENV)/installed-dev ## set up and pass the tests, static checks included
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest

test-fast: $(VENV)/installed-dev ## the tests that need no runtime, toolchain or browser
	@$(BIN)/python -m pytest -m "not toolchain and not browser"

test-oldest: $(VENV)/installed-dev ## the agent's tests on Python 3.6, as a stock JetPack 4.6 has it
	@PYTHONPATH=tests $(BIN)/python -m oldest

check: $(VENV)/installed-dev ## format, lint, types, floors, Python 3.6 on the board side: seconds
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/vermin --target=3.6- --violations --no-tips --quiet harness/__init__.py harness/agent backends \
	  tests/oldest/cases.py
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy

format: $(VENV)/installed-dev ## format and fix what can be fixed
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --fix .

bench-self: $(VENV)/installed-dev ## what our own machinery costs, in benchmarks
	@$(BIN)/python -m pytest tests/bench --benchmark-only --benchmark-disable-gc -q

simulate: $(VENV)/installed-dev ## play noisy sessions through the statistics, rewrite the tables of docs/measurement.md
	@PYTHONPATH=tests $(BIN)/python -m proof.simulate

prove: $(VENV)/installed-dev ## gate equal and slowed sides on this machine, an hour; rewrite the table
	@$(BIN)/python tests/proof/false_alarms.py $(ARGS)

torture: $(VENV)/installed-dev ## kill, starve and damage the store in every way, rewrite the table of docs/durability.md
	@PYTHONPATH=tests $(BIN)/python -m torture $(ARGS)

grow: $(VENV)/installed-dev ## how the questions to a store grow up to a million runs, rewrite the table of docs/store.md
	@PYTHONPATH=tests $(BIN)/python -m proof.growth $(ARGS)

peers: $(VENV)/installed-dev .venv-peers/installed ## measure beside the other tools, write docs/peers.md
	@PYTHONPATH=tests $(BIN)/python -m proof.peers $(ARGS)

emulate: $(VENV)/installed-dev ## the quantization suite as four boards' processors, rewrite the table of docs/boards.md
	@PYTHONPATH=tests $(BIN)/python -m proof.emulate $(ARGS)

agent: $(VENV)/installed ## write agent.pyz, the board's side in one file
	@$(BIN)/boardmark agent -o agent.pyz

install: $(VENV)/installed ## runtimes, toolchains and the boardmark command, in .venv

install-dev: $(VENV)/installed-dev ## the same, and what the tests and checks need

install-tflite-runtime: ## tflite-runtime in an environment of its own (it needs numpy 1)
	@$(PYTHON) -m venv .venv-tflite-runtime
	@.venv-tflite-runtime/bin/python -m pip install --quiet --disable-pip-version-check 'numpy<2' tflite-runtime==2.14.0
	@echo "tflite-runtime is ready: boardmark run --backends tflite,tflite-runtime"

install-peers: .venv-peers/installed ## optimum-benchmark and LoadGen in an environment of their own

.venv-peers/installed: tests/proof/peers/requirements.txt constraints.txt
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -c 'import torch' 2>/dev/null || \
	  $(MAKE) --no-print-directory torch-cpu BIN=.venv-peers/bin
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "boardmark needs python 3.10 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV): runtimes and toolchains, about 2 minutes"
	@$(BIN)/python -c 'import torch' 2>/dev/null || $(MAKE) --no-print-directory torch-cpu
	@$(PIP) --config-settings editable_mode=compat -e '.[all]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(PIP) --config-settings editable_mode=compat -e '.[all,dev]'
	@touch $@

.PHONY: torch-cpu
torch-cpu:
	@if [ -n "$(TORCH_INDEX)" ]; then $(PIP) --index-url $(TORCH_INDEX) $(TORCH); exit; fi; \
	 if $(BIN)/python -m pip install --dry-run --quiet --disable-pip-version-check --report - $(TORCH) 2>/dev/null \
	    | grep -q '"name": "nvidia-'; then \
	   echo "plain pip would bring torch with gigabytes of GPU packages; name an index with CPU builds:" ; \
	   echo "  make TORCH_INDEX=<the CPU index on PyTorch's install page> $(or $(firstword $(MAKECMDGOALS)),install)"; exit 2; fi; \
	 $(PIP) $(TORCH)

clean: ## remove caches of the tools and drawn reports; results and artifacts stay
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .import_linter_cache reports/out build *.egg-info

distclean: clean ## also remove the environments and built artifacts; results stay
	@rm -rf .venv .venv-tflite-runtime .venv-peers .cache
