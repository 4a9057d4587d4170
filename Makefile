# Two commands matter: `make demo` and `make test`. Each sets up all it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint format bench slow slow-statistics slow-engine gallery images openapi docs serve package lowest constraints clean

$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]'
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# The S3 server of the tests: a program, whose libraries do not get along with ours.
$(VENV)/s3/bin/moto_server: tests/s3-server.txt $(VENV)/.ready
	$(PYTHON) -m venv --clear $(VENV)/s3
	$(VENV)/s3/bin/python -m pip install --quiet --disable-pip-version-check -r tests/s3-server.txt
	touch $@

$(VENV)/.ready-docs: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

# Pictures are drawn by a browser; where there is none, the system's is installed.
$(VENV)/.ready-browser: $(VENV)/.ready
	command -v chromium || command -v chromium-browser || command -v google-chrome \
		|| (apt-get update -qq && apt-get install -y -qq chromium)
	touch $@

demo: $(VENV)/.ready  ## start a service, sweep the scaling theory over REST, show what came out
	$(BIN)/delocal demo

test: $(VENV)/.ready-dev $(VENV)/.ready-browser $(VENV)/s3/bin/moto_server  ## all tests
	$(BIN)/python -m pytest

lint: $(VENV)/.ready-dev  ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready-dev  ## apply the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: $(VENV)/.ready  ## write docs/reference/openapi.json anew, after a route has changed
	$(BIN)/python -m delocal.api.openapi docs/reference/openapi.json

bench: $(VENV)/.ready-dev  ## every performance claim, measured; writes benchmarks/results.json
	$(BIN)/python -m benchmarks

slow: $(VENV)/.ready-dev $(VENV)/.ready-browser $(VENV)/s3/bin/moto_server  ## the long tests, on two cores; writes validation/results.json
	$(MAKE) -j2 --output-sync slow-statistics slow-engine

slow-statistics:
	$(BIN)/python -m pytest -m slow tests/physics
	$(BIN)/python -m validation

slow-engine:
	$(BIN)/python -m pytest -m slow --ignore=tests/physics

gallery: $(VENV)/.ready $(VENV)/.ready-browser  ## every figure and table of the papers, and their page
	$(BIN)/delocal reproduce all --png -o docs/gallery

images: $(VENV)/.ready-dev $(VENV)/.ready-browser  ## the pictures of the page in the documentation
	PAGE_IMAGES=docs/images $(BIN)/python -m pytest -q tests/page/test_pictures.py

docs: $(VENV)/.ready-docs  ## the documentation, in docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

serve: $(VENV)/.ready  ## the service on http://127.0.0.1:8000
	$(BIN)/delocal serve

package: $(VENV)/.ready-dev  ## wheel and sdist, tried where nothing else is; they come to lie in dist/
	$(BIN)/python -m pytest -m 'slow or not slow' tests/release
	$(BIN)/hatchling build -d dist

# Physics, storage, service and REST with the lowest version of everything that pyproject.toml allows.
LOWEST = $(patsubst %,tests/%.py,\
	$(patsubst %,physics/test_%,models scaling_model scales levels kirchhoff) \
	$(patsubst %,workers/test_%,block dataset store storage local grid plan keys replicas) \
	$(patsubst %,service/test_%,request export results ledger fits accessor sweeps) \
	$(patsubst %,api/test_%,rest data zarr client))
lowest: $(VENV)/.ready-dev  ## tests with the lowest versions that pyproject.toml allows
	$(BIN)/python -m uv venv --quiet --clear --python $(BIN)/python $(VENV)/lowest
	$(BIN)/python -m uv pip install --quiet --compile-bytecode --python $(VENV)/lowest -c constraints-lowest.txt -e '.[dev]'
	$(VENV)/lowest/bin/python -m pytest $(LOWEST)

# Of the oldest Python that all packages of the newest set run on.
PINS = $(BIN)/python -m uv pip compile --quiet --python-version 3.11.5 --no-header --no-annotate pyproject.toml
constraints: $(VENV)/.ready-dev  ## what pyproject.toml asks for has changed: constraints that have it
	$(PINS) --all-extras -o constraints.txt
	$(PINS) --extra dev --resolution lowest-direct -o constraints-lowest.txt

clean:
	rm -rf $(VENV) docs/_build demo-output dist
