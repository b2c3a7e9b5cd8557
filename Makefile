# Everything here needs python3 (3.11 or newer) with venv and pip, and nothing else; servers come as Python packages.
# PYTHON=python3.13 uses another interpreter, VENV=.venv313 keeps another environment beside the first.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
MADE := $(VENV)/.made-by-$(notdir $(PYTHON))
# -qq: print errors only.
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: help venv demo test nightly coverage mutants lint audit types docs bench benchscale bench-scale benchmarks faults images pictures clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(VENV)/.with-test ## Create the environment in .venv with everything that the tests need

demo: $(VENV)/.with-demo ## Run the demo; ARGS=--check runs every sample job, prints a table and ends
	$(BIN)/python docker/demo $(ARGS)

test: $(VENV)/.with-test ## Run the daily tests; ARGS goes to pytest, TESTNAME=test_name runs one test on each database
	$(BIN)/python -m tests $(ARGS)

nightly: $(VENV)/.with-test ## Run all tests on each database
	$(BIN)/python -m tests --nightly $(ARGS)

coverage: $(VENV)/.with-test ## Run all tests on each database, and list the lines of both packages that they do not reach
	$(BIN)/coverage erase
	$(BIN)/coverage run -m tests --nightly $(ARGS); status=$$?; \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report --fail-under=95 && exit $$status

mutants: $(VENV)/.with-test ## Change the code at random places, and list the changes that no test notices
	$(BIN)/python -m tests.mutants $(ARGS)

lint: $(VENV)/.with-dev ## Style, import layers, files of containers and workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker/compose.yaml docker/compose.rabbitmq.yaml docker/compose.mariadb.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml .github/workflows/release.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml
	$(BIN)/kubernetes-validate --strict --quiet docs/examples/kubernetes/chroniker.yaml

audit: $(VENV)/.with-dev ## Search the code and its requirements for known vulnerabilities
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml chroniker chroniker_celery
	$(BIN)/python .ci/audit.py

types: $(VENV)/.with-dev ## Check the types
	$(BIN)/mypy

docs: $(VENV)/.with-docs ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

benchmarks: $(VENV)/.with-test ## Run the benchmarks; ARGS="tick --json" runs one
	$(BIN)/python -m tests.benchmarks $(ARGS)

bench: $(VENV)/.with-test ## Run the benchmarks, at most 15 minutes, and write their rows into docs/performance.md
	$(BIN)/python -m tests.benchmarks report $(ARGS)

benchscale: $(VENV)/.with-test ## The rows with a million jobs or runs, and how costs grow, an hour each; also as bench-scale
	$(BIN)/python -m tests.benchmarks report --scale $(ARGS)
	$(BIN)/python -m tests.benchmarks report --growth $(ARGS)

bench-scale: benchscale

faults: $(VENV)/.with-test ## Ten minutes of kills, freezes and cut connections; ARGS="--minutes 2 --database mariadb"
	@$(MAKE) --no-print-directory -s $(VENV)/.with-faults 2>/dev/null || echo "Without a C compiler no clock is set wrong"
	$(BIN)/python -m tests.faults $(ARGS)

images: $(VENV)/.with-test ## Build the image with buildah, and run the containers of the compose file (as root)
	CHRONIKER_TESTS_NO_SKIPS=1 $(BIN)/python -m pytest -o faulthandler_timeout=1800 tests/project/test_image.py $(ARGS)

pictures: $(VENV)/.with-pictures ## Write the screenshots of the documentation; ARGS="now graph" writes these pages
	@$(MAKE) --no-print-directory -s $(VENV)/.with-faults 2>/dev/null || echo "Without a C compiler the pictures show the present time"
	$(BIN)/python -m tests.pictures $(ARGS)

clean: ## Remove the environment, built files and caches
	rm -rf $(VENV) build dist site *.egg-info .tox .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Created again when setup.py or the interpreter changes, so that no package of an older list of requirements remains.
$(MADE): setup.py
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.with-%: $(MADE)
	@echo "Installing what '$*' needs"
	@$(PIP) install --editable '.[$*]'
	@touch $@
