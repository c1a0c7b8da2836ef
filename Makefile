# The two commands: `make demo` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
# Each of the many programs of a test or of the lab would compile all of Python's modules anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup demo down test quick check format changelog

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install everything: Debian packages (as root), .venv from uv.lock
	@scripts/setup

demo: setup ## set up everything and start the lab: a whole operator on this machine, with a bond on three legs
	@.venv/bin/openbond lab up

down: ## stop the lab and remove all it made
	@.venv/bin/openbond lab down

test: setup ## set up everything and run every test
	@scripts/test

quick: ## the tests that need no root, on SQLite
	@scripts/test "without root"

check: ## format, lint, types, import contracts, migrations, documents
	@scripts/check

format: ## format the source
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

changelog: ## show the changelog of the next release
	@.venv/bin/towncrier build --draft --version next
