# AITBC. `make up` runs a whole exchange on this machine; `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DJANGO_SETTINGS_MODULE ?= aitbc.settings
# Throw-away PostgreSQL and Valkey, unless DATABASE_URL / REDIS_URL name real ones.
WITH_SERVERS := $(BIN)/python -m aitbc.embedded exec --
# A process per core; tests that share a server (`xdist_group`) stay together.
IN_PARALLEL := -n auto --maxprocesses 4 --dist loadgroup

.PHONY: up test check bench torture schema examples clients lock clean

up: $(VENV)/installed
	@$(BIN)/python manage.py up $(ARGS)

test: $(VENV)/installed
	$(WITH_SERVERS) $(BIN)/python -m pytest $(IN_PARALLEL) $(ARGS)

torture: $(VENV)/installed
	AITBC_SEEDS=10 AITBC_CHAOS_JOBS=300 $(BIN)/python -m pytest -m torture tests/torture $(ARGS)

bench: $(VENV)/installed
	$(BIN)/python -m aitbc.embedded exec --durable -- $(BIN)/python -m bench $(ARGS)

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/python manage.py check
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file var/schema.yml
	@diff -u docs/schema.yml var/schema.yml || (echo 'the schema drifted: run `make schema`'; exit 1)
	$(WITH_SERVERS) $(BIN)/python -m pytest $(IN_PARALLEL) tests/architecture

schema: $(VENV)/installed
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/schema.yml

# What the schema shows as examples, taken from the endpoints themselves; needed when one or its response changes.
examples: $(VENV)/installed
	$(WITH_SERVERS) $(BIN)/python -m pytest -p tests.architecture.record tests/architecture/test_placeholders.py

# Python with nothing but this environment; TypeScript where npx is at hand. Generated from the schema, never edited.
clients: $(VENV)/installed
	mkdir -p clients/python clients/typescript
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/openapi-python-client generate --path docs/schema.yml --meta none \
	  --output-path clients/python/aitbc_client --overwrite
	if command -v npx >/dev/null; then npx --yes --package openapi-typescript@7.13.0 --package typescript@5.9.3 openapi-typescript docs/schema.yml -o clients/typescript/aitbc.d.ts; \
	else echo "no npx: the TypeScript types were not generated"; fi

lock:
	$(BIN)/uv pip compile --quiet --upgrade --universal --no-emit-index-url --no-header --no-annotate \
	  --extra dev --extra miner --extra language-model pyproject.toml -o requirements.lock

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "AITBC needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

clean:
	rm -rf var .pytest_cache .mypy_cache .ruff_cache .hypothesis
