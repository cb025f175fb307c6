# Two commands do all the set-up: `make explore` and `make test`. `make help` lists the rest.
VENV := .venv
FLOOR := .venv-floor
BIN := $(VENV)/bin
# A computer-wide switch that forbids bytecode would make every kernel start slow: it is for packages, not for us.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# how many tests run at once: as many as there are cores
JOBS ?= auto
RELEASE ?=
# detections of the long run of many in `make bench`; 2000 take a quarter of an hour
BULK ?= 96

.PHONY: help explore env aladin test lint test-core test-browser test-floor browser slurm bench lock sbom clean

help:
	@echo "make explore   environment, simulated release, dashboard in the browser (RELEASE=path for your own data)"
	@echo "make test      environment, browser if missing, every check and test"
	@echo "make aladin    bring the JavaScript of the sky view (explore and test do so too)"
	@echo "make bench     how long things take"
	@echo "make lint      ruff, mypy and the import rules"
	@echo "make lock      write the lock files anew"
	@echo "make sbom      list what is installed, with licences"
	@echo "make clean     remove the environments and caches"

$(VENV)/.ready: requirements.lock requirements-uv.lock pyproject.toml
	@$(BIN)/python -c "" 2>/dev/null || { python=$$(sh tools/find_python.sh) && \
	echo "environment: $$python -> $(VENV)" && rm -rf $(VENV) && "$$python" -m venv $(VENV); }
	@$(BIN)/python -m pip install -q --require-hashes -r requirements-uv.lock
	@$(BIN)/uv pip install -q --require-hashes --compile-bytecode --python $(BIN)/python -r requirements.lock
	@$(BIN)/uv pip install -q --no-deps --python $(BIN)/python -e .
	@touch $@

$(FLOOR)/.ready: requirements-floor.lock pyproject.toml $(VENV)/.ready
	@$(FLOOR)/bin/python -c "" 2>/dev/null || { python=$$(sh tools/find_python.sh python3.12) && \
	echo "oldest supported packages: $$python -> $(FLOOR)" && rm -rf $(FLOOR) && "$$python" -m venv $(FLOOR); }
	@$(BIN)/uv pip install -q --require-hashes --compile-bytecode --python $(FLOOR)/bin/python -r requirements-floor.lock
	@$(BIN)/uv pip install -q --no-deps --python $(FLOOR)/bin/python -e .
	@touch $@

env: $(VENV)/.ready

# The sky view's JavaScript; without npm or a network all else works, and a message says what is missing.
aladin: $(VENV)/.ready
	@$(BIN)/python tools/fetch_aladin.py

explore: $(VENV)/.ready aladin
	$(BIN)/elixer-widgets explore $(RELEASE)

test: lint test-core test-floor test-browser

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# SLURM, for the tests of runs on a cluster; they are skipped where it cannot be installed.
slurm:
	@sh tools/ensure_slurm.sh

test-core: $(VENV)/.ready slurm
	$(BIN)/python -m pytest -m "not browser and not wheel" -n $(JOBS) --maxprocesses 8 --dist loadfile

test-floor: $(FLOOR)/.ready
	@$(FLOOR)/bin/python -c "import sys, numpy, photutils, astropy; print('Python', sys.version.split()[0], \
	'numpy', numpy.__version__, 'photutils', photutils.__version__, 'astropy', astropy.__version__)"
	$(FLOOR)/bin/python -m pytest -m "not browser and not wheel and not cluster and not slow" -q -n $(JOBS) --maxprocesses 8 --dist loadfile

browser: $(VENV)/.ready
	@sh tools/ensure_browser.sh $(VENV)

test-browser: browser aladin
	$(BIN)/python -m pytest -m "browser or wheel" -n $(JOBS) --maxprocesses 4 --dist loadfile

bench: $(VENV)/.ready browser
	$(BIN)/python tools/bench.py
	$(BIN)/python tools/bench_bulk.py --n $(BULK)
	$(BIN)/python tools/bench_campaign.py
	$(BIN)/python tools/bench_published.py

# Versions and checksums: no addresses, so that a mirror works as well, and nothing that was changed on its way.
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate \
	--generate-hashes
lock: $(VENV)/.ready
	$(COMPILE) --all-extras pyproject.toml -o requirements.lock --upgrade
	$(COMPILE) --extra test --constraint tests/floor.txt pyproject.toml -o requirements-floor.lock --upgrade
	echo uv | $(COMPILE) - -o requirements-uv.lock --upgrade

# What this was made of: all packages that are installed, with versions and licences, as CycloneDX; and a list for people.
sbom: $(VENV)/.ready
	$(BIN)/python tools/list_licences.py --sbom sbom.cdx.json --table docs/licences.md

clean:
	rm -rf $(VENV) $(FLOOR) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
