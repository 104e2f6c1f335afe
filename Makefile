# `make` lists what there is to do. Works with GNU make 3.81, which macOS has.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# On every core, those that share one too. `make test-all` leaves out no test for being slow.
PYTEST := $(BIN)/python -m pytest -n logical
QUICK := -m "not slow"

NOTEBOOKS := $(wildcard book/*.ipynb)

.DEFAULT_GOAL := help
.PHONY: help setup test test-all check book page pdf browser format bench faults audit lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## create the environment in .venv, as constraints.txt and hashes.txt state it

$(READY): pyproject.toml constraints.txt hashes.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "spatialnb needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@echo "Installing into $(VENV); the first time this takes some minutes, most of them for torch."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes --no-deps --requirement hashes.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[book,test]'
	@touch $@

test: check ## run every check and every test but the slow repeats and those of the built book
	@echo "Tests, every chapter's quick edition and the stored outputs of the notebooks among them"
	@$(PYTEST) $(QUICK) --nbval-lax --ignore tests/test_browser.py tests book

test-all: check book ## run every test there is: the slow repeats, the built book in a browser
	@echo "All tests, the slow ones too"
	@$(PYTEST) --nbval-lax tests book

check: setup ## lint, format, layers and types
	@echo "Lint, format, layers and types"
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@said=$$($(BIN)/lint-imports --no-logo --cache-dir .mypy_cache/imports) || { echo "$$said"; exit 1; }
	@$(BIN)/mypy

book: setup ## build the book, and say where to open it
	@$(BIN)/python tools/build_book.py

page: setup ## build one page alone, in seconds: make page PAGE=v05
	@$(BIN)/python tools/build_page.py "$(PAGE)"

pdf: setup ## print the book as one PDF; needs Chromium
	@test -f _build/html/index.html || $(BIN)/python tools/build_book.py
	@$(BIN)/python tools/make_pdf.py

browser: setup ## look at the built book in Chromium: every page, three widths, light and dark
	@test -f _build/html/index.html || $(BIN)/python tools/build_book.py
	@$(PYTEST) $(QUICK) tests/test_browser.py

format: setup ## put code and notebooks into their stored form
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format --quiet
	@$(if $(NOTEBOOKS),$(BIN)/nbstripout --keep-id $(NOTEBOOKS))

bench: setup ## measure what is fast, and against what
	@mkdir -p book/speed
	@for file in $(filter-out benchmarks/accelerator.py benchmarks/repeated.py,$(wildcard benchmarks/*.py)); do echo "$$file"; \
	  $(BIN)/python "$$file" --json "book/speed/$$(basename "$$file" .py).json" || exit 1; done

faults: setup ## break things on purpose, hundreds of times, and write down what came of it
	@$(BIN)/python -m tools.faults

audit: setup ## look the locked packages up among known vulnerabilities
	@test -x $(VENV)/audit/bin/python || $(BIN)/python -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	@$(VENV)/audit/bin/python tools/audit.py

lock: setup ## bring constraints.txt and hashes.txt up to date, within what pyproject.toml allows
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --no-python-downloads --fork-strategy fewest --upgrade --no-annotate --quiet \
	  --custom-compile-command "make lock" --output-file constraints.txt
	@grep -Ev '^ *#|^(torch|torchvision|triton)==|^(nvidia|cuda)-' constraints.txt | \
	  $(BIN)/uv pip compile - --no-deps --universal --python-version 3.11 --no-python-downloads \
	  --no-annotate --generate-hashes --quiet --custom-compile-command "make lock" \
	  --output-file hashes.txt

clean: ## remove the environment, the built book and every cache
	@rm -rf $(VENV) _build .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
