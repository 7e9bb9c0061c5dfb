# The two commands that matter: `make demo` and `make test`. Both set up what they need, into .venv and node_modules.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test check unit requirements bench clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements-dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports

unit: setup
	$(BIN)/python -m pytest tests/unit

# Compiled, so that a deploy next month installs what was tested today. No index or host is written into the files.
requirements: setup
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--output-file requirements.txt pyproject.toml
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--extra dev --output-file requirements-dev.txt pyproject.toml

clean:
	rm -rf $(VENV) node_modules demo-output
