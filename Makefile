.DEFAULT_GOAL := help
PY := .venv/bin/python
PYTEST := $(PY) -m pytest
.PHONY: help demo test soak simulate check lint types layers unit web-check e2e setup dev screenshot bench clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: setup ## Set everything up and run Apsis on the example jobs (Ctrl-C stops)
	@$(PY) tools/demo.py

test: dev lint types layers web-check ## Set everything up and run all tests: unit, integration, browser, web, lint, types
	$(PYTEST)

soak: dev ## Crash tests and simulations at full size: some 50 kills of a real server, several minutes
	$(PYTEST) tests/crash tests/sim --size full

simulate: dev ## Play seeded worlds, FOR=10m long, from SEED=0 on; SEED=7 alone plays only that one
	$(PY) -m tests.sim $(if $(SEED),--seed $(SEED)) $(if $(FOR),--for $(FOR))

check: dev lint types layers unit ## What to run while working: lint, types, layers, unit tests; under a minute

setup: ## Make .venv with Apsis and its dashboard
	@tools/setup

dev: ## The same with what the tests need
	@tools/setup dev

lint: dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: dev
	.venv/bin/mypy

layers: dev
	.venv/bin/lint-imports --no-cache

unit: dev
	$(PYTEST) -q tests/unit tests/contract tests/guard

web-check: dev ## Lint, types and unit tests of the dashboard
	$(PY) tools/npm.py run lint
	$(PY) tools/npm.py run typecheck
	$(PY) tools/npm.py run test

e2e: dev ## The browser tests alone
	$(PYTEST) tests/e2e

screenshot: dev ## Take the README's picture of the dashboard
	$(PY) tools/screenshot.py

bench: dev ## Measure; ONLY=name for one benchmark
	$(PY) -m benchmarks $(ONLY)

clean: ## Remove everything that was built or installed here
	rm -rf .venv .demo web/node_modules apsis/api/static .mypy_cache .ruff_cache .pytest_cache .hypothesis
