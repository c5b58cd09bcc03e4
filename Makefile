# On a fresh machine: `make run` installs the core into .venv and simulates the flagship; `make test` installs what the
# tests need, Postgres too, and runs them. A stamp file per set of packages keeps a second call from installing again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check --no-input install -q -c constraints.txt
DECLARED := pyproject.toml constraints.txt
WORKERS ?= 2
OFFLINE := .venv-offline
ORACLES := .venv-oracles
RLLIB := .venv-rllib
S3 := .venv-s3

.PHONY: run install test docs offline oracles rllib s3 lint bench crash hashes nodes campaigns look chromium postgres clean

run: $(VENV)/core.stamp
	$(BIN)/gaelp run scenarios/parental_controls.yaml
	@echo
	@echo 'Try next:'
	@echo '  $(BIN)/gaelp query "SELECT stage, COUNT(*) FROM journeys GROUP BY 1"'
	@echo '  $(BIN)/gaelp query --list'
	@echo '  $(BIN)/gaelp verify realism @last'

install: $(VENV)/all.stamp

test: $(VENV)/test.stamp postgres
	$(BIN)/python -m pytest -n $(WORKERS)

# The pages that are made from the program itself.
docs: $(VENV)/core.stamp
	$(BIN)/python docs/pages.py

# d3rlpy pins another Gymnasium than the one we test with: it gets an environment of its own.
offline: $(OFFLINE)/stamp
	$(OFFLINE)/bin/python -m pytest -p no:cacheprovider tests/unit/learn/test_cql.py

# Tools of off-policy evaluation: they load what we export, and their estimates are what ours are held against.
oracles: $(ORACLES)/stamp
	$(ORACLES)/bin/python -m pytest -p no:cacheprovider tests/unit/learn/test_array_tools.py tests/unit/evaluate/test_oracles.py

# RLlib pins an older Gymnasium, too.
rllib: $(RLLIB)/stamp
	$(RLLIB)/bin/python -m pytest -p no:cacheprovider tests/unit/env/test_rllib.py \
		tests/docs/test_interoperability.py -k 'rllib or tree'

# An S3 server in a thread, and the tools that read a lake by themselves; s3fs and moto agree on few versions of botocore.
s3: $(S3)/stamp
	$(S3)/bin/python -m pytest -p no:cacheprovider tests/store/test_lake_s3.py tests/docs/test_lake_page.py

lint: $(VENV)/lint.stamp
	$(BIN)/ruff check .
	rm -rf build/house && mkdir -p build/house && cp -r gaelp_sim build/house/
	cp -r cli build/house/gaelp_sim/cli && cp -r migrations build/house/gaelp_sim/migrations
	cd build/house && ../../$(BIN)/mypy --cache-dir ../mypy -p gaelp_sim

bench: $(VENV)/bench.stamp postgres
	$(BIN)/python -m benchmarks

# Fewer: make crash GAELP_KILLS=30 GAELP_FAULTS=25 GAELP_OUTAGES=6
crash: $(VENV)/test.stamp postgres
	$(BIN)/python -m pytest -m campaign tests/crash

hashes: $(VENV)/test.stamp postgres
	$(BIN)/python -m pytest -m campaign tests/campaigns/test_hashes.py

# Fewer: make nodes GAELP_NODE_KILLS=2 GAELP_DRIVER_KILLS=2
nodes: $(VENV)/test.stamp postgres
	$(BIN)/python -m pytest -m campaign tests/nodes

campaigns: $(VENV)/test.stamp postgres
	$(BIN)/python -m pytest -m campaign

# Pages as Chromium paints them, wide and narrow, light and dark: nothing cut off, nothing lying over something else.
look: $(VENV)/test.stamp chromium
	$(BIN)/python -m pytest -m look tests/look

chromium:
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then \
		exit 0; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; \
	else \
		echo 'No Chromium here: what a browser makes of pages is not checked. Install it with your package manager.'; \
	fi

clean:
	rm -rf build dist $(VENV)/*.stamp

# Postgres is needed by some tests only: where it can't be installed from here, they are skipped, and this says so.
postgres:
	@if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null; then \
		exit 0; \
	elif ! command -v apt-get >/dev/null; then \
		echo 'No PostgreSQL here: its tests will be skipped. Install the server with your package manager.'; \
	elif [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql; \
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then \
		sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql; \
	else \
		echo 'No PostgreSQL here: its tests will be skipped. Install it with: sudo apt-get install postgresql'; \
	fi

# A half-made environment (a Python without ensurepip, say) has no pip: it is made again.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'gaelp-sim needs Python 3.11 or later; name one: make run PYTHON=python3.12'; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/core.stamp: $(DECLARED) | $(BIN)/pip
	$(INSTALL) -e .
	@touch $@

$(VENV)/all.stamp: $(DECLARED) | $(BIN)/pip
	$(INSTALL) -e '.[postgres,logs,learn,env]'
	@touch $@ $(VENV)/core.stamp

$(VENV)/test.stamp: $(DECLARED) | $(BIN)/pip
	$(INSTALL) -e '.[test]'
	@touch $@ $(VENV)/core.stamp

$(VENV)/bench.stamp: $(DECLARED) | $(BIN)/pip
	$(INSTALL) -e '.[test,bench]'
	@touch $@ $(VENV)/core.stamp $(VENV)/test.stamp

$(OFFLINE)/stamp: pyproject.toml constraints-offline.txt
	$(PYTHON) -m venv $(OFFLINE)
	$(OFFLINE)/bin/python -m pip --disable-pip-version-check --no-input install -q -c constraints-offline.txt \
		-e '.[learn,offline]' pytest
	@touch $@

# obp says that it needs a Python below 3.11, and both name old versions of what they use: neither is so.
$(ORACLES)/stamp: pyproject.toml constraints-oracles.txt
	$(PYTHON) -m venv $(ORACLES)
	$(ORACLES)/bin/python -m pip --disable-pip-version-check --no-input install -q -c constraints-oracles.txt \
		-e '.[learn,logs,offline]' pytest pandas matplotlib seaborn pytorch-revgrad minari
	$(ORACLES)/bin/python -m pip --disable-pip-version-check --no-input install -q -c constraints-oracles.txt \
		--no-deps --ignore-requires-python obp scope-rl
	@touch $@

$(RLLIB)/stamp: pyproject.toml constraints-rllib.txt
	$(PYTHON) -m venv $(RLLIB)
	$(RLLIB)/bin/python -m pip --disable-pip-version-check --no-input install -q -c constraints-rllib.txt \
		-e '.[env,marl,learn]' pytest 'ray[rllib]'
	@touch $@

# moto without its extras: they build a parser from source, which what we ask of S3 does not need.
$(S3)/stamp: pyproject.toml constraints-s3.txt
	$(PYTHON) -m venv $(S3)
	$(S3)/bin/python -m pip --disable-pip-version-check --no-input install -q -c constraints-s3.txt \
		-e '.[lake]' pytest s3fs boto3 moto py-partiql-parser flask flask-cors polars
	@touch $@

$(VENV)/lint.stamp: $(DECLARED) | $(BIN)/pip
	$(INSTALL) -e '.[test,lint]'
	@touch $@ $(VENV)/core.stamp $(VENV)/test.stamp
