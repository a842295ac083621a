# `make` sets up and runs the default suite, a quick look at real images; `make test` sets up and passes the tests; `make help` lists the rest.
.DEFAULT_GOAL := demo
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# One thread a process: two processes use two cores, and another count can change the last digit.
export OMP_NUM_THREADS := 1
export KILLS ?= 20
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Tests call make as people do, not as a part of this call: with --jobs it would warn them.
unexport MAKEFLAGS

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
DOCKER ?= docker
IMAGE ?= weckd:$(VERSION)
DOCKER_BUILD_OPTIONS ?=

.PHONY: demo phantoms setup test lint types unit demo-check phantoms-check chaos selfcheck reference-check docs-check tex-check pages-check image sbom container-check slurm-check audit-dependencies readme lock clean help

demo: setup ## run the default suite, three small real data sets, and print gains and verdicts
	snakemake --cores all

phantoms: setup ## run the suite of six drawn data sets, which tests the whole workflow
	snakemake --cores all --configfile config/phantoms.yaml

setup: $(INSTALLED) ## create .venv from requirements.lock

$(INSTALLED): requirements.lock requirements-uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes --requirement requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

test: lint types unit ## lint, types and tests

lint: setup
	ruff check
	ruff format --check
	snakefmt --check --compact-diff Snakefile rules
	hadolint Dockerfile
	snakemake --lint

types: setup
	mypy

unit: setup
	pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

demo-check: setup ## check a finished run of the default suite
	pytest -m demo

phantoms-check: setup ## check a finished run of the phantoms
	pytest -m phantoms

chaos: setup ## kill runs at random moments, again and again, and compare bytes (KILLS=20)
	pytest -m chaos --numprocesses 2 -rP

selfcheck: setup ## check the suite's own statistics, on simulations and on a run of 40 seeds
	snakemake --cores all --configfile config/selfcheck.yaml
	weckd selfcheck --run results/selfcheck

reference-check: setup ## train one cell of the reference on real images again, and draw all tables and figures of it
	pytest -m reference -rP

docs-check: setup ## run every command of the documents, as written or reduced
	pytest -m documentation --numprocesses 2 --dist loadfile

tex-check: setup ## compile all tables of the references with pdflatex (needs Debian's texlive-latex-recommended)
	pytest -m tex

image: ## build the container image (needs Docker; IMAGE=weckd:0.1.0)
	DOCKER_BUILDKIT=1 $(DOCKER) build $(DOCKER_BUILD_OPTIONS) --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION=$$(git describe --always --dirty --abbrev=40 2>/dev/null || echo unknown) --tag $(IMAGE) .

sbom: ## print the image's bill of materials, CycloneDX (needs Docker and the image)
	@$(DOCKER) run --rm --network none --entrypoint cat $(IMAGE) /opt/weckd.cdx.json

container-check: setup ## build the image on a stand-in base and run it (needs root, docker.io, mmdebstrap)
	pytest -m container

pages-check: setup ## open the pages in headless Chromium: accessibility, a phone's width, print (needs chromium and npm)
	pytest -m pages

slurm-check: setup ## run the workflow on a SLURM of this machine (needs root and Debian's SLURM)
	pytest -m slurm

audit-dependencies: setup ## look up known vulnerabilities of all that the locks pin (needs the network)
	python .ci/audit_dependencies.py requirements.lock requirements-uv.lock

readme: setup ## put tables and figures of the frozen references into README and docs/findings.md
	snakemake --cores all --config records=reference
	snakemake --cores all --configfile config/real-small.yaml --config records=reference -- all leakage
	snakemake --cores all --configfile config/real.yaml --config records=reference -- all readings
	snakemake --cores all --configfile config/real.yaml config/real-curves.yaml --config records=reference
	python docs/insert.py

lock: ## resolve requirements.lock again (needs uv)
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --output-file requirements.lock
	echo uv | uv pip compile - --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --output-file requirements-uv.lock

clean: ## remove the environment, caches and all results that a run made
	rm -rf $(VENV) .snakemake .mypy_cache .ruff_cache .pytest_cache
	find results -mindepth 1 -maxdepth 1 ! -name reference ! -name README.md -exec rm -rf {} +

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24
