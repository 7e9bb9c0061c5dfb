# `make demo` and `make test` are the two that matter. Both set up what they need, into .venv, tests/node and tests/next.
PYTHON ?= python3
BIN := .venv/bin
PIP_COMPILE := CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/pip-compile --quiet --strip-extras --allow-unsafe \
	--generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links
NODE_READY := $(if $(shell command -v npm),$(addsuffix /node_modules/.ready,tests/node tests/node/bullmq5 tests/next))

.PHONY: setup demo dashboard test check unit alerts bench corpus screenshots requirements clean

setup: .venv/.ready $(NODE_READY)

.venv/.ready: requirements-dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

%/node_modules/.ready: %/package-lock.json
	npm ci --prefix $* --no-audit --no-fund --loglevel=error
	touch $@

# Of Node's packages the first suffice: the tests' Next.js app has 400 MB.
demo: .venv/.ready $(firstword $(NODE_READY))
	$(BIN)/python -m demo

dashboard: .venv/.ready
	$(BIN)/python -m demo.dashboard

test: check
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: setup
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary .
	$(BIN)/lint-imports --no-logo

unit: setup
	$(BIN)/python -m pytest tests/unit

# Takes a quarter of an hour, and needs Prometheus (Debian: apt-get install prometheus).
alerts: setup
	$(BIN)/python -m pytest tests/live

bench: setup
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.idle

# Other projects' test files, as jobs: make corpus DIR=../Pillow/Tests. The tables of docs/formats.md come from it.
corpus: setup
	$(BIN)/python -m benchmarks.corpus $(DIR)

# Those of docs/dashboard.md.
screenshots: setup
	mkdir -p docs/screenshots
	SCREENSHOTS=$(CURDIR)/docs/screenshots $(BIN)/python -m pytest tests/e2e/test_dashboard_sight.py -k shown_in_the_docs

# Compiled, so that a deploy next month installs what was tested today, on every system, and nothing that was put in its
# place: with the hashes of all files that PyPI has of a version. The others begin as copies, to have the same versions.
requirements: setup
	$(PIP_COMPILE) --all-extras --output-file requirements-dev.txt pyproject.toml
	$(call compile,requirements.txt,push media database api ffmpeg)
	$(call compile,requirements-push.txt,push database)
	$(call compile,requirements-media.txt,media database)
	$(call compile,requirements-api.txt,api)

define compile
cp requirements-dev.txt $(1)
$(PIP_COMPILE) $(addprefix --extra ,$(2)) --output-file $(1) pyproject.toml
endef

clean:
	rm -rf .venv tests/node/node_modules tests/node/bullmq5/node_modules tests/next/node_modules demo-output*
