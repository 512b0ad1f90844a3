# make help says what there is. PYTHON=python3.12 chooses the interpreter of the environment, .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Most tests wait for processes and sockets: a few more workers than cores keep the cores busy.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

EXTRAS := fetch http2 metrics otel pdf tokens top
PERMISSIVE := MIT;BSD;Apache;ISC;PSF;Python Software Foundation

.DEFAULT_GOAL := help
.PHONY: help demo test client check format fuzz soak mutants bench site picture screenshots release lock oldest sbom licences audit clean

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(INSTALLED) ## run a conversation through the proxy; KEEP=1 leaves it running
	@$(BIN)/claude-code-proxy demo $(if $(KEEP),--keep) $(DEMO)

test: check ## check, then run every test; ARGS go to pytest, WORKERS=1 runs them one after the other
	$(BIN)/python -m tests.e2e.npm
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --cov --cov-report= $(ARGS)
	$(BIN)/coverage report --include='*/claude_code_proxy/core/*' --skip-covered --show-missing --fail-under=100

client: export CLAUDE_CODE_VERSION = $(VERSION)
client: $(INSTALLED_DEV) ## run every end-to-end test with another VERSION of Claude Code
	$(BIN)/python -m tests.e2e.npm
	$(BIN)/pytest -n $(WORKERS) --dist worksteal tests/e2e $(ARGS)

check: $(INSTALLED_DEV) ## linter, formatter, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED_DEV) ## format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

fuzz: $(INSTALLED_DEV) ## feed 100,000 mutated inputs to each reader; ARGS="--target sse --inputs 1000"
	$(BIN)/python -m tests.fuzz $(ARGS)

soak: $(INSTALLED_DEV) ## two minutes of mixed traffic with random faults; ARGS="--seconds 600 --seed x"
	$(BIN)/python -m tests.soak $(ARGS)

mutants: $(INSTALLED_DEV) ## change the core in small ways and say which changes no test notices; ARGS="errors request/read.py --share 5"
	nice -n 19 $(BIN)/python -m tests.mutants $(or $(ARGS),.)

bench: $(INSTALLED_DEV) ## compare the proxy with a plain pass-through
	$(BIN)/python -m bench $(ARGS)

site: $(INSTALLED_DEV) ## build the documentation as web pages into build/site; a warning is an error
	$(PIP) install --group site
	$(BIN)/python -m publish.site build/site

picture: $(INSTALLED_DEV) ## record a first session with the real client and draw docs/session.svg
	$(PIP) install --group site
	$(BIN)/python -m publish.picture docs/session.svg

screenshots: $(INSTALLED_DEV) ## take the documentation's screenshots anew
	$(BIN)/python -m tests.e2e.screenshots

release: $(INSTALLED_DEV) ## build the distribution, check it, run the demo from it in a bare environment; the Homebrew formula
	$(PIP) install --group release
	rm -rf dist build/bare share
	$(BIN)/python -m claude_code_proxy.cli.shared_files share
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(PYTHON) -m venv build/bare
	build/bare/bin/python -m pip --disable-pip-version-check --quiet install dist/*.whl
	test -f build/bare/share/man/man1/ccproxy.1
	build/bare/bin/ccproxy --version
	env -i HOME=$(CURDIR)/build/bare PATH=/usr/bin:/bin DEEPSEEK_API_KEY=none build/bare/bin/ccproxy init --force
	env -i HOME=$(CURDIR)/build/bare PATH=/usr/bin:/bin build/bare/bin/ccproxy --dry-run
	build/bare/bin/claude-code-proxy demo --client builtin
	grep -o '^[a-z0-9-]*==[^ ]*' requirements.lock > build/versions.txt
	$(BIN)/uv pip compile --quiet --format pylock.toml --universal --python-version 3.11 --no-header --no-annotate \
	  --constraint build/versions.txt --output-file build/pylock.toml pyproject.toml
	$(BIN)/python -m publish.formula build/pylock.toml dist/*.tar.gz build/keyless-claude-proxy.rb
	@if docker info >/dev/null 2>&1; then \
	  docker build --tag keyless-claude-proxy . && docker run --rm keyless-claude-proxy demo --client builtin; \
	else echo "no Docker here: the container was not tried"; fi

lock: $(INSTALLED_DEV) ## write requirements.lock anew: the newest versions within the bounds, with their hashes
	$(PIP) install --group release
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  $(EXTRAS:%=--extra %) --output-file requirements.lock pyproject.toml

# What is locked, in an environment that has nothing else.
build/locked: $(INSTALLED_DEV) requirements.lock
	$(PIP) install --group release
	rm -rf $@
	$(PYTHON) -m venv --without-pip $@
	$(PIP) --python $@/bin/python install --require-hashes --no-deps --requirement requirements.lock

oldest: $(INSTALLED_DEV) ## run the tests of the core and the server with the oldest versions within the bounds; ARGS go to pytest
	$(PIP) install --group release
	rm -rf build/oldest
	$(PYTHON) -m venv --without-pip build/oldest
	$(BIN)/uv pip install --quiet --python build/oldest/bin/python --resolution lowest-direct \
	  --all-extras --requirements pyproject.toml --group dev
	$(BIN)/uv pip install --quiet --python build/oldest/bin/python --no-deps --editable .
	build/oldest/bin/python -m pytest -n $(WORKERS) --dist worksteal \
	  tests/core tests/config tests/credentials tests/http1 tests/transports tests/server $(ARGS)

sbom: build/locked ## write build/sbom.json (CycloneDX): every package that is locked, with its licence
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o build/sbom.json build/locked/bin/python
	$(BIN)/python .ci/vendored.py add build/sbom.json

licences: build/locked ## list the licences of all that is locked; fails on one that is not known to be permissive
	$(BIN)/pip-licenses --python=build/locked/bin/python --from=mixed --order=license --partial-match --allow-only='$(PERMISSIVE)'
	$(BIN)/python .ci/vendored.py check '$(PERMISSIVE)'

audit: $(INSTALLED_DEV) ## look for known vulnerabilities of what is locked
	$(PIP) install --group release
	$(BIN)/pip-audit --require-hashes --disable-pip --requirement requirements.lock

clean: ## remove everything that was made here, the environment too
	rm -rf $(VENV) share .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* build dist mutants
	find src tests bench publish -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: this needs Python 3.11 or later: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "error: $(PYTHON) comes without ensurepip: on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(BIN)/python pyproject.toml
	$(PIP) install -e .
	@touch $@

# The development tools are a dependency group, which the pip of an older Python cannot read: hence the first line.
$(INSTALLED_DEV): $(INSTALLED)
	$(PIP) install 'pip>=25.1'
	$(PIP) install --group dev
	@touch $@
