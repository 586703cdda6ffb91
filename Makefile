# Every target does its own set-up; a second call finds it done and asks nothing of the network.
#
#   make run      start the service on http://127.0.0.1:8000 with the demo page
#   make test     the tests, properties on a sample of their examples (TESTS=all: on all of them;
#                 PYTEST_ARGS="-k magnesium -x" to choose)
#   make lowest   all tests but those in a browser, with the lowest versions that pyproject.toml allows
#   make spark    the tests of the Spark engine, with the lowest version allowed; needs Java 17
#   make smart-fetch   the tests of exports that smart-fetch makes from the test FHIR server
#   make coverage what the tests cover, against two thresholds (.ci/covered.py)
#   make check    lint, format, types, layers and tests: runs all, counts what failed
#   make prose    spelling and prose of documents, comments, messages and card texts
#   make screenshots, make pictures, make population-examples   make what the documents show again
#   make docs     write the reference pages from the code
#   make bench    benchmark                     make faults     the service under faults, with figures
#   make sandbox  the CDS Hooks sandbox beside this service (SANDBOX=/path/to/its/checkout)
#   make guard    processor time of fixed calls, against the recorded figures
#   make mutants  mutation testing of rules and units (MUTANTS_ARGS=hooks/rules/iron.py: one module)
#   make image    container image, with docker or buildah   (BASE=…@sha256:… is the base)
#   make lock     rewrite locks/: what image and gate install, with hashes
#   make sbom     list what the environment holds (CycloneDX), in sbom.cdx.json
#   make try-image   build the image without any registry of images, run it locked down, call it
#   make clean    remove the virtual environment and what tools cached

PYTHON      ?= python3
VENV        ?= .venv
HOST        ?= 127.0.0.1
PORT        ?= 8000
RUN_ARGS    ?= --demo
PYTEST_ARGS ?=
# all: each property on all its examples, and tests that repeat what others show (the gate).
TESTS       ?= everyday
# One more than processors: some tests wait for a process or a clock.
TEST_PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
BENCH_ARGS  ?=
GUARD_ARGS  ?=
FAULTS_ARGS ?=
SANDBOX     ?=
SANDBOX_ARGS ?=
MUTANTS_ARGS ?=
IMAGE       ?= leg-cramps-cds:latest
BASE        ?=
# Which Python the base must have (such as 3.13); empty: any from 3.11 on.
PYTHON_VERSION ?=
COMMIT      ?= $(shell git rev-parse --verify --quiet HEAD 2>/dev/null)
UV          := uv==0.13.9
IMAGE_ARGS  ?=
# LOCKED=1: what locks/dev.txt says and nothing else, each file checked by its hash (the gate).
LOCKED      ?=
DEV_SET     := $(if $(LOCKED),--require-hashes --requirement locks/dev.txt,--editable . --group dev)

# What pytest makes of the tests' text is kept for the next run: half of the time until the first.
export PYTHONDONTWRITEBYTECODE :=

SHELL := /bin/bash
PY    := $(VENV)/bin/python
LOWEST := $(VENV)/lowest
SPARK := $(VENV)/spark
CHECKS := lint format types layers prose test

.PHONY: screenshots population-examples pictures prose lock sbom run test lowest spark spark-environment smart-fetch smart-fetch-environment coverage check lint format types layers audit docs bench guard faults image try-image sandbox clean environment environment-dev
.DEFAULT_GOAL := check

run: environment
	@exec $(VENV)/bin/cds-service serve --host $(HOST) --port $(PORT) $(RUN_ARGS)

test: environment-dev
	@TESTS=$(TESTS) $(PY) -m pytest -n $(TEST_PROCESSES) --dist worksteal $(PYTEST_ARGS)

# In its own environment: the lowest versions that pyproject.toml allows, and the newest compatible
# versions of what those need. The tests in a browser drive another program.
lowest: environment-dev
	@set -euo pipefail; \
	state() { pwd; cat pyproject.toml; }; \
	if ! state | cmp -s - $(LOWEST)/.installed; then \
	  echo "Installing the lowest versions that pyproject.toml allows"; \
	  $(PY) -m venv --clear $(LOWEST); \
	  $(PY) .ci/lowest.py pyproject.toml --print > $(LOWEST)/constraints.txt; \
	  $(LOWEST)/bin/python -m pip install --quiet --upgrade "pip>=25.1"; \
	  $(LOWEST)/bin/python -m pip install --quiet --constraint $(LOWEST)/constraints.txt \
	    --editable . --group dev; \
	  state > $(LOWEST)/.installed; \
	fi
	@$(LOWEST)/bin/python .ci/lowest.py pyproject.toml
	@$(LOWEST)/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal -m "not browser" $(PYTEST_ARGS)

# In its own environment, because Spark is 400 MB: its lowest allowed version, and what it needs.
spark: spark-environment
	@command -v java >/dev/null || { \
	  echo "make spark needs Java 17 or newer (Debian: apt-get install default-jre-headless)." >&2; exit 2; }
	@$(SPARK)/bin/python -m pytest tests/population/test_spark.py $(PYTEST_ARGS)

spark-environment: environment-dev
	@set -euo pipefail; \
	state() { pwd; cat pyproject.toml; }; \
	if ! state | cmp -s - $(SPARK)/.installed; then \
	  echo "Installing the lowest version of Spark that pyproject.toml allows"; \
	  $(PY) -m venv --clear $(SPARK); \
	  $(PY) .ci/lowest.py pyproject.toml --print --apart > $(SPARK)/constraints.txt; \
	  $(SPARK)/bin/python -m pip install --quiet --upgrade "pip>=25.1"; \
	  $(SPARK)/bin/python -m pip install --quiet --constraint $(SPARK)/constraints.txt \
	    --editable '.[spark]' pytest; \
	  state > $(SPARK)/.installed; \
	fi

# In its own environment, because it needs 40 packages. It makes exports; nothing of it is imported.
smart-fetch: smart-fetch-environment
	@CDS_SMART_FETCH=$(VENV)/smart-fetch/bin/smart-fetch $(PY) -m pytest tests/population/test_smart_fetch.py \
	  $(PYTEST_ARGS)

smart-fetch-environment: environment-dev
	@test -x $(VENV)/smart-fetch/bin/smart-fetch || { $(PY) -m venv --clear $(VENV)/smart-fetch \
	  && $(VENV)/smart-fetch/bin/python -m pip install --quiet 'smart-fetch>=1.0.3,<2'; }

# Measuring coverage slows down what is timed: those tests (marker timed) run only in `make test`.
# Data left by the last run would count as covered: it is erased first.
coverage: environment-dev
	@$(PY) -m coverage erase
	@TESTS=all $(PY) -m coverage run -m pytest -n $(TEST_PROCESSES) --dist worksteal -m 'not timed' $(PYTEST_ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage json --quiet -o coverage.json
	@$(PY) .ci/covered.py coverage.json

lint: environment-dev
	@$(PY) -m ruff check .

format: environment-dev
	@$(PY) -m ruff format --check .

# Spelling, British or American, in everything a person reads (names that are not English words are
# in the list); then proselint and the project's own words (.ci/words.toml), and British spelling of
# cards and messages. CSV files hold names of drugs and conditions, as others write them.
prose: environment-dev
	@$(VENV)/bin/codespell --builtin clear,rare --ignore-words .codespell-words \
	  --skip '*.csv,*.svg,*.png,./.venv,./locks,./LICENSE,./.git,*/node_modules,*/package-lock.json' . .ci
	@$(PY) .ci/prose.py

types: environment-dev
	@$(PY) -m mypy

layers: environment-dev
	@$(VENV)/bin/lint-imports

# Tests compare generated documents with the code: `test` fails if one is stale.
check: environment-dev
	@failed=(); for step in $(CHECKS); do \
	  echo "== $$step"; $(MAKE) --no-print-directory $$step || failed+=("$$step"); \
	done; \
	if (( $${#failed[@]} )); then \
	  echo "check: $${#failed[@]} of $(words $(CHECKS)) failed: $${failed[*]}"; exit 1; \
	fi; \
	echo "check: all $(words $(CHECKS)) passed ($(CHECKS))"

# In its own environment: the auditor's dependencies are not the service's.
audit: environment-dev
	@test -x $(VENV)/audit/bin/pip-audit || { $(PY) -m venv $(VENV)/audit \
	  && $(VENV)/audit/bin/python -m pip install --quiet pip-audit; }
	@$(PY) .ci/audit.py $(VENV)/audit/bin/pip-audit \
	  "$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

# Reference pages, from the code.
docs: environment-dev
	@$(PY) docs/generate.py

# The documents' screenshots, taken from the demo page by its browser tests; needs Chromium.
screenshots: environment-dev
	@CDS_SCREENSHOTS=1 $(PY) -m pytest -q tests/browser/test_demo_page.py $(PYTEST_ARGS)

# The example reports of docs/how-to/judge-a-population.md; needs Chromium. SYNTHEA=… is a folder of
# one-patient Bundles for the second.
population-examples: environment-dev
	@$(PY) -m tools.population.examples $(SYNTHEA)

# The documents' drawings, from docs/pictures/*.dot; needs Graphviz.
pictures:
	@$(PYTHON) docs/pictures/draw.py

bench: environment-dev
	@$(PY) -m tools.bench $(BENCH_ARGS)

# Against the recorded ratios; GUARD_ARGS=--record records them again.
guard: environment-dev
	@$(PY) -m tools.bench.guard $(GUARD_ARGS)

faults: environment-dev
	@$(PY) -m pytest -q -s tools/faults $(FAULTS_ARGS)

sandbox: environment
	@test -n "$(SANDBOX)" || { \
	  echo "make sandbox needs SANDBOX: git clone https://github.com/cds-hooks/sandbox, and name the folder:" >&2; \
	  echo "  make sandbox SANDBOX=/path/to/sandbox" >&2; exit 2; }
	@$(PY) -m tools.sandbox "$(SANDBOX)" $(SANDBOX_ARGS)

# In an environment of its own: the development set, cosmic-ray and what it needs.
mutants: environment
	@test -x $(VENV)/mutation/bin/cosmic-ray || { $(PY) -m venv $(VENV)/mutation \
	  && $(VENV)/mutation/bin/python -m pip install --quiet --upgrade 'pip>=25.1' \
	  && $(VENV)/mutation/bin/python -m pip install --quiet --editable . --group dev --editable tools/mutation; }
	@$(VENV)/mutation/bin/python -m tools.mutation $(MUTANTS_ARGS)

image:
	@case "$(BASE)" in \
	  *@sha256:*|localhost/*) ;; \
	  *) echo "make image needs BASE, the base image by digest: make image BASE=docker.io/library/python:3.11-slim@sha256:…" >&2; \
	     echo "The digest: docker buildx imagetools inspect docker.io/library/python:3.11-slim" >&2; exit 2;; \
	esac
	@if command -v docker >/dev/null && docker info >/dev/null 2>&1; then \
	  docker build --build-arg BASE=$(BASE) --build-arg COMMIT=$(COMMIT) --build-arg PYTHON_VERSION=$(PYTHON_VERSION) --tag $(IMAGE) $(IMAGE_ARGS) .; \
	elif command -v buildah >/dev/null; then \
	  buildah build --format docker --build-arg BASE=$(BASE) --build-arg COMMIT=$(COMMIT) --build-arg PYTHON_VERSION=$(PYTHON_VERSION) --tag $(IMAGE) $(IMAGE_ARGS) .; \
	else \
	  echo "make image needs docker (running) or buildah." >&2; exit 1; \
	fi

# One version of each package, for all platforms and Python versions, with hashes. The address of
# an index other than the public one is not written into the files.
LOCK = $(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url $(LOCK_ARGS)
lock: environment-dev
	@test -x $(VENV)/lock/bin/uv || { $(PY) -m venv $(VENV)/lock \
	  && $(VENV)/lock/bin/python -m pip install --quiet $(UV); }
	@$(LOCK) pyproject.toml --extra postgres --output-file locks/runtime.txt
	@$(LOCK) pyproject.toml --extra postgres --group dev --constraint locks/runtime.txt \
	  --output-file locks/dev.txt
	@$(LOCK) --group image --output-file locks/build.txt

# The tool is in its own environment, installed from the lock that the image uses.
sbom: environment
	@test -x $(VENV)/sbom/bin/cyclonedx-py || { $(PY) -m venv $(VENV)/sbom \
	  && $(VENV)/sbom/bin/python -m pip install --quiet --require-hashes -r locks/build.txt; }
	@$(VENV)/sbom/bin/cyclonedx-py environment --output-reproducible --output-format JSON \
	  --output-file sbom.cdx.json $(PY)

# Builds the image on a minimal Debian and runs it locked down; needs root, buildah and debootstrap.
try-image:
	@deploy/try-image

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis \
	  .coverage .coverage.* coverage.json htmlcov build dist

environment:
	@$(call set_up,run,--editable .)

environment-dev:
	@$(call set_up,dev,$(DEV_SET))

# $(1): name of the stamp; $(2): what pip installs.
# The stamp holds the folder and pyproject.toml as they were at the last successful install, so
# that a moved checkout or a changed dependency is noticed, but not a mere change of date.
# The development set contains the other one: its stamp counts for both.
define set_up
set -euo pipefail; \
state() { pwd; cat pyproject.toml; }; \
for stamp in $(VENV)/.installed-$(1) $(VENV)/.installed-dev; do \
  if [ -x $(PY) ] && state | cmp -s - "$$stamp"; then exit 0; fi; \
done; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
  echo "Python 3.11 or newer is needed; $(PYTHON) is not. Set PYTHON=/path/to/python3.11." >&2; exit 1; }; \
if ! $(PY) -m pip --version >/dev/null 2>&1 \
   || { stamps=$$(cat $(VENV)/.installed-* 2>/dev/null) && ! grep -qxF "$$PWD" <<<"$$stamps"; }; then \
  echo "Making the virtual environment $(VENV)"; \
  $(make_venv); \
fi; \
echo "Installing what pyproject.toml names ($(1))"; \
$(PY) -m pip install --quiet --upgrade 'pip>=25.1'; \
$(PY) -m pip install --quiet $(2); \
$(if $(LOCKED),$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .;) \
state > $(VENV)/.installed-$(1)
endef

# Debian has ensurepip in a package of its own; each way to do without is tried before giving up.
define make_venv
if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
  $(PYTHON) -m venv --clear $(VENV); \
elif command -v uv >/dev/null; then \
  uv venv --quiet --clear --seed --python $(PYTHON) $(VENV); \
elif $(PYTHON) -m virtualenv --version >/dev/null 2>&1; then \
  $(PYTHON) -m virtualenv --quiet --clear $(VENV); \
elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
  echo "python3-venv is missing: installing it with apt-get"; \
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends python3-venv >/dev/null; \
  $(PYTHON) -m venv --clear $(VENV); \
else \
  echo "$(PYTHON) cannot make virtual environments (ensurepip is missing)." >&2; \
  echo "On Debian or Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; \
fi
endef
