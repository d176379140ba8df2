# Everything here needs only Python 3.11 to 3.14, make and a network to install from. One virtual environment
# holds it all; each step leaves a stamp in it, so that a second run installs nothing again.
#
#   make demo ARGS=--plain          arguments for the command
#   make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV   ?= .venv
UV     ?= uv
ARGS   ?=
BENCH  ?= throughput

BIN := $(VENV)/bin
# --no-deps: a lock file is complete and leaves out what is never imported. --no-build-isolation: what builds is
# locked too. --no-compile: bytecode is written on first import, for a third less waiting here.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input --no-compile --no-deps
LOCKED := $(INSTALL) --require-hashes --no-build-isolation --use-pep517
PACKAGES := stream detectors learners
SOURCES := pyproject.toml README.md LICENSE $(wildcard configs/*.yaml) $(shell find $(PACKAGES) -type f ! -name '*.pyc' 2>/dev/null)
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

# Neither the caller's path nor pip's --user may leak into the environment, nor a wish for no bytecode, as containers
# have it: each of the many commands that tests start would compile all that it imports, for up to 3 s of CPU.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
export PIP_USER := 0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test lint unit soak docs bench lock clean always .system

say = @printf '\n== %s\n' '$(1)'

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-6s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.demo $(VENV)/.wheel ## real flights through a real Kafka, in your terminal
	$(call say,driftline demo $(ARGS))
	@exec $(BIN)/driftline demo $(ARGS)

# More processes than the two cores that this is to run on: half of the time of a test with a broker is waiting.
test: .system lint ## every check: lint, types, import rules, all tests against the installed wheel
	$(call say,pytest)
	@DRIFTLINE_TEST_INSTALLED=1 PYTHONSAFEPATH=1 $(BIN)/pytest --numprocesses 3 --dist loadfile $(ARGS)

lint: $(VENV)/.dev $(VENV)/.wheel ## style, types and import rules
	$(call say,ruff check)
	@$(BIN)/ruff check .
	$(call say,ruff format --check)
	@$(BIN)/ruff format --check .
	$(call say,mypy --strict)
	@$(BIN)/mypy --strict --num-workers 2 $(PACKAGES) tests benchmarks scripts
	$(call say,lint-imports)
	@$(BIN)/lint-imports

unit: $(VENV)/.dev $(VENV)/.wheel ## the tests that need no broker
	$(call say,pytest tests/unit tests/contract tests/golden)
	@DRIFTLINE_TEST_INSTALLED=1 PYTHONSAFEPATH=1 $(BIN)/pytest tests/unit tests/contract tests/golden $(ARGS)

soak: $(VENV)/.dev $(VENV)/.wheel ## 200 workers killed at random, the results compared with a run without (5 min)
	$(call say,pytest -m soak)
	@DRIFTLINE_TEST_INSTALLED=1 PYTHONSAFEPATH=1 $(BIN)/pytest tests/faults -m soak -q -o faulthandler_timeout=0 $(ARGS)

docs: $(VENV)/.demo $(VENV)/.wheel ## write docs/config.md from the configuration's models
	@mkdir -p build
	@$(BIN)/driftline docs > build/config.md
	@mv build/config.md docs/config.md
	@echo 'docs/config.md is written.'

bench: $(VENV)/.dev $(VENV)/.wheel ## a benchmark: events per second, or another one (BENCH=detectors ARGS=--quick)
	@exec $(BIN)/python benchmarks/$(BENCH).py $(ARGS)

lock: ## resolve every dependency anew into requirements/ (needs uv)
	@command -v $(UV) >/dev/null || { echo "make lock: '$(UV)' is not on the path. Install uv, or name it: make lock UV=/path/to/uv" >&2; exit 1; }
	$(COMPILE) --upgrade --extra dev --output-file requirements/dev.txt pyproject.toml >/dev/null
	$(COMPILE) --upgrade --constraints requirements/dev.txt --extra embedded --output-file requirements/demo.txt pyproject.toml >/dev/null
	$(COMPILE) --upgrade --constraints requirements/dev.txt --output-file requirements/service.txt pyproject.toml >/dev/null
	$(COMPILE) --upgrade --constraints requirements/dev.txt --group build --output-file requirements/build.txt >/dev/null

clean: ## remove the environment, builds and caches
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	find $(PACKAGES) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# What tests drive and pip can't bring: program:package, by Debian's names. Installed where that may be done.
SYSTEM := prometheus:prometheus promtool:prometheus chromium:chromium chromedriver:chromium-driver

.system:
	@missing=$$(for one in $(SYSTEM); do command -v $${one%:*} >/dev/null || echo $${one#*:}; done | sort -u | xargs); \
	install="apt-get install --yes --no-install-recommends $$missing"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "make test: programs that the tests drive are not on the path. Install them: sudo $$install" >&2; exit 1; fi; \
	printf '\n== %s\n' "installing $$missing"; \
	apt-get update --quiet --quiet && DEBIAN_FRONTEND=noninteractive $$install --quiet --quiet

# A virtual environment, or the reason why there can't be one.
$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo "There is no '$(PYTHON)'. Name a Python 3.11 to 3.14: make PYTHON=python3.13 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || { \
		echo "Driftline needs Python 3.11 to 3.14; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.13 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "'$(PYTHON)' has no venv module. Debian and Ubuntu keep it apart: apt install python3-venv" >&2; exit 1; }
	$(call say,making $(VENV))
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.build: requirements/build.txt $(VENV)/.made
	$(call say,installing the build tools)
	@$(LOCKED) --quiet -r requirements/build.txt
	@touch $@

$(VENV)/.demo: requirements/demo.txt $(VENV)/.build
	$(call say,installing the libraries of the service and of the demo (about 150 MB once; then from the cache))
	@$(LOCKED) -r requirements/demo.txt
	@touch $@

# The larger set holds the smaller one.
$(VENV)/.dev: requirements/dev.txt $(VENV)/.build
	$(call say,installing the libraries of the service and of its tests (about 200 MB once; then from the cache))
	@$(LOCKED) -r requirements/dev.txt
	@touch $(VENV)/.demo $@

# The list of sources, rewritten only when it differs: a file that was removed counts as a change too.
$(VENV)/.sources: always | $(VENV)/.made
	@echo '$(SOURCES)' | cmp -s - $@ || echo '$(SOURCES)' > $@

$(VENV)/.wheel: $(SOURCES) $(VENV)/.sources $(VENV)/.build
	$(call say,building and installing driftline)
	@rm -rf build/wheel
	@$(BIN)/python -m pip wheel --disable-pip-version-check --quiet --no-deps --no-build-isolation --wheel-dir build/wheel .
	@$(INSTALL) --quiet --force-reinstall build/wheel/driftline-*.whl
	@touch $@
