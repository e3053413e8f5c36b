# Everything a person needs: `make run`, `make test`, `make check`. It wants a package index and Python 3.11 or later (of
# `python3` and the system's own the one that is faster), works as any user, and writes nothing outside this folder (caches
# of packages aside).

PYTHON ?= $(shell deploy/choose-python)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
TESTS ?= tests
WORKERS ?= 2
AWAY ?= 60
NAMES ?=
SOURCES := src tests

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Else every process that is started, in the tests some hundreds, would compile the sources anew: seconds each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test services services-stop localstripe chaos bench-messages check format lock env access-table translations messages chart security clean help
.DEFAULT_GOAL := help

help:  ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST)

run: $(VENV)/.run-installed  ## Run everything here, with demo data (ARGS="--port 8080" and so on)
	@$(BIN)/fullhouse up --demo $(ARGS)

test: $(VENV)/.dev-installed  ## Run the tests (TESTS=tests/orders, WORKERS=4, ARGS="-k seat")
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS) $(TESTS)

services: $(VENV)/.dev-installed  ## Start RabbitMQ, Kafka and SQS on loopback for the tests (NAMES="rabbitmq kafka")
	@PATH="$(CURDIR)/$(BIN):$$PATH" deploy/services/all start $(NAMES)

services-stop:  ## Stop them
	@deploy/services/all stop $(NAMES)

localstripe:  ## Install another's simulator of Stripe beside ours, for a part of the tests of providers
	@[ -x .data/localstripe/bin/python ] || $(PYTHON) -m venv .data/localstripe
	@.data/localstripe/bin/pip install --quiet --require-hashes -r deploy/services/localstripe.lock

chaos: $(VENV)/.dev-installed  ## Kill servers under load and keep them away for a minute (AWAY=10 for less); half an hour
	@FULLHOUSE_TEST_AWAY_SECONDS=$(AWAY) $(BIN)/pytest -m chaos $(ARGS) $(TESTS)

bench-messages: $(VENV)/.dev-installed  ## Measure messages: brokers that `make services` started, relay, webhooks, traces
	@$(BIN)/python benchmarks/brokers.py
	@$(BIN)/python benchmarks/relay.py
	@$(BIN)/python benchmarks/webhooks.py
	@$(BIN)/python benchmarks/traces.py

check: $(VENV)/.dev-installed  ## Check style, types, layers, sizes and words
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python -m fullhouse.operations.publish_messages --check
	$(BIN)/pytest -q tests/architecture

format: $(VENV)/.dev-installed  ## Format the code
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

messages: $(VENV)/.dev-installed  ## Write docs/reference/asyncapi.json and the schemas of messages anew
	$(BIN)/python -m fullhouse.operations.publish_messages

security: $(VENV)/.dev-installed  ## Look for faults in the code and in pinned packages, and list the packages (SBOM)
	$(BIN)/ruff check --select S --ignore S608 src  # the type checker sees to it that SQL is literal
	@$(BIN)/python deploy/security

chart: $(VENV)/.dev-installed  ## Lint the Helm chart with Helm, and render it anew for `make check`
	deploy/helm/render

LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet
lock: $(BIN)/python  ## Pin the newest packages that pyproject.toml allows
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --upgrade --extra embedded --extra demo --extra rabbitmq --extra kafka --extra aws --extra traces --extra stripe --extra bench --group build --group dev $(LOCK_OPTIONS) -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --upgrade --extra embedded --extra demo --extra rabbitmq --extra kafka --extra aws --extra traces --extra stripe --extra bench --group build -c requirements-dev.lock $(LOCK_OPTIONS) -o requirements.lock
	echo localstripe | $(BIN)/uv pip compile - --upgrade $(LOCK_OPTIONS) -o deploy/services/localstripe.lock

access-table: $(VENV)/.dev-installed  ## Write docs/reference/access.md anew from the table of the tests
	@cd tests && PYTHONPATH=../src ../$(BIN)/python -m access.matrix

env: $(VENV)/.run-installed  ## Write .env.example anew
	$(BIN)/fullhouse settings --env > .env.example

translations: $(VENV)/.dev-installed  ## Collect texts for the translators, and fail if one is untranslated
	$(BIN)/python -m fullhouse.infra.update_translations

clean:  ## Remove what was installed and made, the data of `make run` too
	rm -rf $(VENV) .data .cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist build
	find src tests migrations -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@python="$(PYTHON)"; \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: Python 3.11 or later is needed; name it with PYTHON=python3.12" >&2; exit 2; }; \
	"$$python" -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "make: this Python cannot make a venv; on Debian install python3-venv" >&2; exit 2; }

# The development packages hold the others at the same versions, so either set serves `run`.
$(VENV)/.run-installed: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev-installed: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.run-installed
