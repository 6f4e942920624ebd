# What a newcomer guesses: make demo, make test, make lint.  Everything is installed into .venv; nothing else is touched.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)) python3.11)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
SCENARIO ?= demo
ARGS ?=

# A Prometheus of your own: make demo PROMETHEUS=/path/to/prometheus.  Likewise ENVOY=/path/to/envoy.
ifdef PROMETHEUS
export PROMETHEUS
else
export PROMETHEUS := $(abspath $(BIN)/prometheus)
NEEDS_PROMETHEUS := $(BIN)/prometheus
endif

.DEFAULT_GOAL := help
.PHONY: help venv setup demo lab test test-fast test-lab search soak mutants test-envtest e2e lint format generate bench bench-idle

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

venv: $(BIN)/python

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "PYTHON: there is no $(PYTHON); install Python 3.11 or later with venv (Debian: apt-get install python3-venv) and try make PYTHON=python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.lab: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing meshshift[lab] into $(VENV)"
	@$(PIP) -e '.[lab]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing meshshift[lab,dev] into $(VENV)"
	@$(PIP) -e '.[lab,dev]'
	@touch $@ $(VENV)/.lab

# The one on PATH, else the program out of Debian's or Ubuntu's package: unpacked, not installed, so that it needs no
# root and starts no service of its own.
$(BIN)/prometheus: | $(BIN)/python
	@if command -v prometheus >/dev/null; then ln -sf "$$(command -v prometheus)" $@; \
	elif command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then \
	  echo "getting Prometheus from the package archive into $(VENV)"; \
	  SUDO=""; [ "$$(id -u)" = 0 ] || SUDO=sudo; \
	  [ -n "$$(apt-cache madison prometheus 2>/dev/null)" ] || $$SUDO apt-get update -qq; \
	  rm -rf $(VENV)/deb && mkdir -p $(VENV)/deb && cd $(VENV)/deb && \
	  apt-get -qq -o APT::Sandbox::User=root download prometheus && dpkg-deb -x prometheus_*.deb . && \
	  cp usr/bin/prometheus ../bin/prometheus && cd .. && rm -rf deb; \
	else echo "there is no prometheus on PATH: install Prometheus 2.40 or later (macOS: brew install prometheus), or give PROMETHEUS=/path/to/prometheus" >&2; exit 1; fi

setup: $(VENV)/.dev $(NEEDS_PROMETHEUS) ## Install everything for working on meshshift

demo: $(VENV)/.lab $(NEEDS_PROMETHEUS) ## One minute: a good version is promoted, a bad one rolled back (SCENARIO=slow, outage, ...)
	@$(BIN)/python -m meshshift lab --scenario $(SCENARIO) $(ARGS)

lab: $(VENV)/.lab $(NEEDS_PROMETHEUS) ## A mesh on this machine to play with, until Ctrl-C
	@$(BIN)/python -m meshshift lab --scenario none $(ARGS)

test: test-fast test-lab ## All tests

test-fast: setup ## Tests that start no servers
	$(BIN)/python -m pytest -m 'not lab' -n auto --dist worksteal $(ARGS)

# They mostly wait for traffic: more of them at once than there are cores.
test-lab: setup ## Tests on a real Envoy and a real Prometheus
	$(BIN)/python -m pytest -m lab -n 3 --dist worksteal $(ARGS)

test-envtest: setup ## Contract tests and scenarios on the kube-apiserver in KUBEBUILDER_ASSETS (see e2e/README.md)
	@$(BIN)/python -m tests.envtest.control_plane
	$(BIN)/python -m pytest tests/lab/kube tests/envtest $(ARGS)

search: setup ## The property tests with examples drawn anew: what they find becomes a test of its own (a minute)
	$(BIN)/python -m pytest -m 'not lab and hypothesis' -n auto --dist worksteal --hypothesis-profile=search $(ARGS)

soak: setup ## Fifty shifts in a row at 500 requests/s, with commands, drifts and kills at random (20 minutes)
	MESHSHIFT_SOAK_SHIFTS=50 $(BIN)/python -m pytest -s tests/lab/shifts/test_soak.py $(ARGS)

e2e: setup ## Whole shifts on the cluster that KUBECONFIG names (see e2e/README.md)
	$(BIN)/python -m pytest e2e $(ARGS)

mutants: setup ## Take out each guard of docs/safety.md and see its test fail (10 minutes)
	$(BIN)/python -m tests.safety.mutate $(ARGS)

lint: setup ## Formatting, ruff, types, layers
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Let ruff format and fix
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

generate: setup ## Write the CRD and the reference pages anew
	$(BIN)/python -m meshshift.api.generate
	$(BIN)/python -m meshshift.adapters.metrics_reference
	$(BIN)/python -m meshshift.cli.reference

bench-idle: setup ## Measure what 500 annotated Services cost while nothing happens (twelve minutes)
	$(BIN)/python -m bench.idle_services

bench: setup ## Print the benchmark tables: what the judge costs, how well it judges (a minute)
	$(BIN)/python -m bench.evalue
	$(BIN)/python -m bench.judge --quick
