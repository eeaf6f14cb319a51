# Two commands are all it takes: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PROMISED = python3.11 python3.12 python3.13
# Each process would compile all that it imports, where the machine's setting forbids to keep what was compiled.
export PYTHONDONTWRITEBYTECODE =
COMPILE = $(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-annotate \
  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.PHONY: demo web train-setup static test test-ray pythons $(PROMISED) check bench lock clean help

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/'

demo: $(VENV)/.runtime ## the Gradio page on http://127.0.0.1:7860
	$(BIN)/python app.py

web: $(VENV)/.runtime ## the Flask page on http://127.0.0.1:5000
	$(BIN)/flask --app catdog.flask_app run

train-setup: $(VENV)/.all ## what `python -m train` needs, in the same environment

static: $(VENV)/.all static/node_modules ## the app as static files in build/static, whose models run in the browser
	$(BIN)/python -m train export
	$(BIN)/python -m train static

test: $(VENV)/.all ## all tests, in two processes
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 25

test-ray: $(VENV)/.all $(VENV)/.ray ## the tests of `classify --on ray`, on a cluster of two nodes that they start
	$(BIN)/python -m pytest tests/catdog/cluster

pythons: $(PROMISED) ## the app in build/, for each other promised Python that is here: `make test` then asks it about a photo

$(PROMISED):
	@usual=$$($(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])'); \
	export PYENV_VERSION=$(@:python%=%); \
	if [ $@ != $$usual ] && $@ -c 'import ensurepip, venv' 2>/dev/null; then \
	  $(MAKE) PYTHON=$@ VENV=build/$@ build/$@/.runtime; \
	fi

check: $(VENV)/.all static/node_modules ## style and formatting; scripts need npm
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	static/node_modules/.bin/eslint --config static/eslint.config.mjs static catdog

bench: $(VENV)/.all $(VENV)/.ray static ## measure speed and memory, and write docs/benchmarks.md: takes half an hour, on a quiet machine
	$(BIN)/python -m benchmarks

lock: $(VENV)/.all ## pin everything below requirements*.txt again; `make lock UPGRADE=--upgrade` takes newer versions
	echo uv | $(COMPILE) - --output-file locks/uv.txt
	$(COMPILE) requirements.txt --output-file locks/runtime.txt
	$(COMPILE) requirements-serve.txt --constraint locks/runtime.txt --output-file locks/serve.txt
	$(COMPILE) requirements-test.txt --output-file locks/all.txt
	$(COMPILE) requirements-tune.txt --constraint locks/all.txt --output-file locks/tune.txt
	$(COMPILE) requirements.txt requirements-ray.txt --constraint locks/all.txt --output-file locks/ray.txt

clean: ## remove the environment and the caches of the tools
	rm -rf $(VENV) build/python3.* .pytest_cache .ruff_cache .hypothesis

# uv is much quicker than pip, but does not read pip.conf: where only that file says where the packages are, pip installs.
# Neither compiles them, which takes half a minute: Python compiles what it imports.
PIP = $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r
$(VENV)/.%: locks/%.txt | $(BIN)/uv
	@echo "Installing what $< names into $(VENV)"
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --require-hashes -r $< || $(PIP) $<
	@touch $@

$(BIN)/uv: locks/uv.txt | $(BIN)/python
	$(PIP) $<
	@touch $@

static/node_modules: static/package-lock.json
	npm ci --prefix static --ignore-scripts --no-audit --no-fund
	@touch $@

# Debian and Ubuntu ship python3 without ensurepip; their package python3-venv brings it.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "catdog needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	       "Name another one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Installing python3-venv, which $(PYTHON) lacks"; \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update -qq && $$sudo apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv $(VENV)
