# Onward. `make` lists what can be done. Nothing needs to be set up first: the targets make their own .venv.

PORT ?= 8000
HUB ?= cambridgeshire
# The first hub's data lies in .data itself; every other hub's in a folder of its own in it.
DATA ?= .data$(if $(filter-out cambridgeshire,$(HUB)),/$(HUB))
ARGS ?=
# Tests run in processes with servers of their own, as many as tests/conftest.py says; SPREAD= runs them in one.
SPREAD ?= --numprocesses auto --dist worksteal
FILE ?= $(firstword $(wildcard ../shared/hubs/hubs.yaml) tests/scenarios/hubs.yaml)
BIN := .venv/bin
SOURCES := hubkit services gateway onward
SCRIPTS := .ci/run deploy/bootstrap.sh deploy/entrypoint.sh deploy/test-servers.sh deploy/test-node.sh deploy/postgres/databases.sh
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help run scenarios test check bench mutants lock

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

run: ## Start the whole hub here, with SQLite and demonstration data (PORT=8000 HUB=cambridgeshire)
	@deploy/bootstrap.sh requirements.txt && exec $(BIN)/python -m onward --data $(DATA) run --port $(PORT) --hub $(HUB)

scenarios: ## Play the acceptance scenarios of all hubs, or of FILE=path (ARGS="--only ID --json")
	@deploy/bootstrap.sh requirements.txt && exec $(BIN)/python -m onward scenarios $(FILE) $(ARGS)

test: ## Run every test, on both adapters (ARGS="-k gate" to choose); private PostgreSQL and RabbitMQ are started
	@deploy/bootstrap.sh requirements-dev.txt && deploy/test-servers.sh && deploy/test-node.sh && exec $(BIN)/python -m pytest $(SPREAD) $(ARGS)

check: ## Lint, format, types, import contracts, compose file, shell scripts
	@deploy/bootstrap.sh requirements-dev.txt
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m mypy --package tests.support --module tests.conftest
	$(BIN)/lint-imports
	$(BIN)/python -m check_jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	@for script in $(SCRIPTS); do echo "$$(sed -n '1s/#!.*\///p' $$script) -n $$script"; \
		"$$(sed -n '1s/#!.*\///p' $$script)" -n $$script || exit 1; done

bench: ## Measure throughput and latency beside a bare floor and a Celery chain (ARGS="--rounds 3")
	@deploy/bootstrap.sh requirements-dev.txt && deploy/test-servers.sh && exec $(BIN)/python -m bench $(ARGS)

mutants: ## Change the policy of gate, consent and agreements in a thousand small ways, and list what no test notices
	@deploy/bootstrap.sh requirements-dev.txt && rm -rf mutants && $(BIN)/mutmut run --max-children 1 && \
		$(BIN)/mutmut results --all true | $(BIN)/python -m tests.mutation

lock: ## Pin every package with its hashes in requirements.txt and requirements-dev.txt (ARGS=--upgrade for newer ones)
	@deploy/bootstrap.sh requirements-dev.txt
	$(LOCK) $(ARGS) -o requirements.txt
	$(LOCK) $(ARGS) --group dev -o requirements-dev.txt
