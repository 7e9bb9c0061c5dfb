# Start with `make demo` and `make test`. Both install what they need into .venv, and into the folders of Node's packages.
PYTHON ?= python3
BIN := .venv/bin
PIP_COMPILE := CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/pip-compile --quiet --strip-extras --allow-unsafe \
	--generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links
# Pytest's rewritten tests and what programs import are compiled once, also where the environment is against it.
unexport PYTHONDONTWRITEBYTECODE
NPM := $(shell command -v npm)
NODE_READY := $(if $(NPM),$(addsuffix /node_modules/.ready,tests/node tests/node/bullmq5 tests/next packages/next \
	examples/next))
# Of make matrix alone: it has 500 MB.
PREVIOUS_READY := $(if $(NPM),tests/next/previous/node_modules/.ready)

.PHONY: help setup demo dashboard worker example tarball package test matrix check fast unit alerts kills bench corpus screenshots requirements clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install the packages of Python and, with npm, of Node
	@$(MAKE) --no-print-directory --jobs=3 .venv/.ready $(NODE_READY)

# The file has all packages: there is nothing to resolve. What is imported is compiled then; pip would compile the rest,
# too, for half a minute.
.venv/.ready: requirements-dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile -r requirements-dev.txt
	touch $@

# Half of what the tests need: a newcomer waits for it.
.venv/.worker: requirements.txt requirements-local.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(addprefix -r ,$^)
	touch $@

%/node_modules/.ready: %/package-lock.json
	npm ci --prefix $* --no-audit --no-fund --loglevel=error
	touch $@

# The demo needs only the first of Node's folders; the tests' Next.js app has 400 MB.
demo: .venv/.ready $(firstword $(NODE_READY)) ## Show both wires with one worker and real results, in seconds
	$(BIN)/python -m demo

dashboard: .venv/.ready ## Serve the dashboard over the demo's worker until Ctrl-C
	$(BIN)/python -m demo.dashboard

APP ?= .
worker: .venv/.worker ## Run the worker for the Next.js app in the folder APP, with a Valkey if none runs
	@$(BIN)/python -m demo.beside "$(APP)"

example: package ## Serve the Next.js app of examples/next, with all that it needs, until Ctrl-C
	$(BIN)/python -m demo.example

tarball: packages/next/node_modules/.ready ## Pack the npm package, for an app to install
	npm run --silent tarball --prefix packages/next

package: setup ## Build the npm package (packages/next), if there is npm
	@$(MAKE) --no-print-directory .package

# The order of the files is that of pyproject.toml and tests/conftest.py: the slow ones first, so that no process is alone
# with one at the end.
test: setup ## Run `make check` and all tests
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target .check-python .check-node .test-node
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not matrix"

# The types of examples/next are checked by the `next build` of its tests: they need the built package and Prisma's client.
check: setup ## Check format, lint, types and import rules
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target .check-python .check-node

# Half a minute of one processor, most of it for mypy: what needs Node runs beside it.
.check-python:
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary .
	$(BIN)/lint-imports --no-logo

.check-node:
	$(if $(NPM),npm run --silent check --prefix packages/next)
	$(if $(NPM),npm run --silent lint --prefix examples/next)

.test-node: .package
	$(if $(NPM),npm test --silent --prefix packages/next)

.package:
	$(if $(NPM),npm run --silent build --prefix packages/next)

fast: setup ## Run the unit tests without golden images, property tests and slow ones
	$(BIN)/python -m pytest -m "not (golden or slow or hypothesis)" tests/unit

unit: setup ## Run the unit tests only: they need no server
	$(BIN)/python -m pytest tests/unit

# Property tests run again, with the number of examples that tests/conftest.py has for it.
matrix: package $(PREVIOUS_READY) ## Run the tests that `make test` leaves out: further browsers, databases, ffmpegs and clients
	$(BIN)/python -m pytest -n 2 --dist loadfile --hypothesis-profile=matrix -m "matrix or hypothesis"

# Takes a quarter of an hour. Needs Prometheus (Debian: apt-get install prometheus).
alerts: setup ## Let each alert rule fire and resolve in a real Prometheus
	$(BIN)/python -m pytest tests/live/test_alerts.py tests/live/test_alerts_of_features.py

# Takes a quarter of an hour.
kills: setup ## Kill two hundred workers while they send mails
	$(BIN)/python -m pytest -s tests/live/test_mail_kills.py

bench: setup ## Measure throughput, latency and idle cost beside bullmq and RQ
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.idle

# Example: make corpus DIR=../Pillow/Tests. It makes the tables of docs/formats.md.
corpus: setup ## Process the files of DIR as jobs, and print what became of them
	$(BIN)/python -m benchmarks.corpus $(DIR)

screenshots: setup ## Take the screenshots of docs/dashboard.md
	mkdir -p docs/screenshots
	SCREENSHOTS=$(CURDIR)/docs/screenshots $(BIN)/python -m pytest tests/e2e/test_dashboard_sight.py -k shown_in_the_docs

# The compiled files pin every package with the hashes of all its files on PyPI: a later deploy, on any system, installs
# what was tested. The smaller files start as copies of requirements-dev.txt, so that all have the same versions.
requirements: setup ## Compile requirements*.txt from pyproject.toml
	$(PIP_COMPILE) --all-extras --output-file requirements-dev.txt pyproject.toml
	$(call compile,requirements.txt,push media email database api ffmpeg)
	$(call compile,requirements-push.txt,push database)
	$(call compile,requirements-media.txt,media database)
	$(call compile,requirements-email.txt,email database)
	$(call compile,requirements-api.txt,api)
	$(call compile,requirements-local.txt,local)

define compile
cp requirements-dev.txt $(1)
$(PIP_COMPILE) $(addprefix --extra ,$(2)) --output-file $(1) pyproject.toml
endef

clean: ## Remove what these commands have installed and written
	rm -rf .venv tests/node/node_modules tests/node/bullmq5/node_modules tests/next/node_modules \
		tests/next/previous/node_modules \
		packages/next/node_modules packages/next/dist examples/next/node_modules examples/next/.next \
		examples/next/generated demo-output*
