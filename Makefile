# Two commands do everything on a machine with Python 3.11+ and make: `make demo` and `make test`.
# Each makes its environment, .venv, if it is missing or older than its lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Tests at a time: they wait for servers more than they work.
JOBS ?= 6
UV_VERSION := 0.13.8
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-emit-find-links --python-version 3.11 --custom-compile-command "make lock"
PROJECT := pyproject.toml --group build

# Tests start hundreds of processes: without bytecode each of them would compile goldpan again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help venv demo servers test lint bench chaos wheel lock clean

help:
	@echo "make demo    see it work: an embedded broker, real conversations, the whole way (1 minute)"
	@echo "make test    all tests; those that need a real Kafka or S3 say so when they are skipped"
	@echo "make servers fetch and build the servers that the tests use (else make test does it)"
	@echo "make lint    formatting, types, room boundaries, licences of the dependencies"
	@echo "make bench   the benchmarks behind the numbers in docs/"
	@echo "make chaos   long runs with faults"
	@echo "make wheel   a wheel in dist/, with redaction compiled for this Python (needs a C compiler)"
	@echo "make venv    the environment for development, in $(VENV)"
	@echo "make lock    resolve the dependencies again, into requirements/"
	@echo "make clean   remove what the above made"

venv: $(VENV)/.dev

demo: $(VENV)/.runtime
	@$(BIN)/goldpan demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not chaos" -n $(JOBS) --dist loadfile \
		--no-loadscope-reorder $(ARGS)

# What the tests need of others: fetched and built once, else by the first `make test`.
# Then the tests are collected, so that their bytecode is there before several processes need it.
servers: $(VENV)/.dev
	@$(BIN)/python -m tests.servers
	@$(BIN)/python -m pytest --collect-only -qq -m "not chaos" >/dev/null

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.architecture.licences

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)

chaos: $(VENV)/.dev
	$(BIN)/python -m pytest -m chaos $(ARGS)

wheel: $(VENV)/.dev
	COMPILE_REDACTION=1 $(PIP) wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .

lock: $(BIN)/python
	$(PIP) install --quiet uv==$(UV_VERSION)
	$(COMPILE) $(PROJECT) $(ARGS) --output-file requirements/runtime.lock
	$(COMPILE) $(PROJECT) $(ARGS) --group dev --constraint requirements/runtime.lock \
		--output-file requirements/dev.lock
	$(COMPILE) --group compile --constraint requirements/dev.lock $(ARGS) \
		--output-file requirements/compile.lock
	$(COMPILE) --group spark --constraint requirements/dev.lock $(ARGS) \
		$(foreach name,numpy protobuf pyarrow python-dateutil pyyaml six typing-extensions,\
		--no-emit-package $(name)) --output-file requirements/spark.lock
	$(COMPILE) --group partners $(ARGS) --output-file requirements/partners.lock
	$(COMPILE) --group judge-partners $(ARGS) --no-emit-package llama-cpp-python \
		--no-emit-package pip --output-file requirements/judge-partners.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "goldpan needs Python 3.11 or later; name one with: make PYTHON=python3.12 …" >&2; \
		exit 2; }
	$(PYTHON) -m venv $(VENV)

# The locks hold hashes for everything, the build backend too; only goldpan itself has none.
$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes --only-binary :all: --requirement requirements/runtime.lock
	$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes --only-binary :all: --requirement requirements/dev.lock
	$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@ $(VENV)/.runtime
