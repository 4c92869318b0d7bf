# The two commands of the README, and what a contributor runs. Each makes its own environment (.venv) from requirements.lock
# the first time; nothing is needed on the machine but Python 3.11 or newer and make.
#   make demo   train on the handwritten digits, with figures      DEMO_ARGS=--short for a quick one
#   make test   the tests, recorded and eager                      TEST_ARGS="tests/test_nn.py -k linear"
#   make lint   ruff and mypy
#   make clean  remove the environment and what the tools left

VENV      ?= .venv
PYTHON    ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
               $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
DEMO_ARGS ?=
TEST_ARGS ?= -n 2

BIN   := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint format clean
.DEFAULT_GOAL := demo

demo: $(READY)
	$(BIN)/python examples/demo.py $(DEMO_ARGS)

test: $(READY)
	$(BIN)/python -m pytest -q $(TEST_ARGS)
	RUSHLIGHT_EAGER=1 $(BIN)/python -m pytest -q $(TEST_ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
	    echo "Rushlight needs Python 3.11 or newer; the one found here is: $$(python3 --version 2>&1)." >&2; \
	    echo "Install a newer one and say where it is: make PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or \
	    sys.exit("Rushlight needs Python 3.11 or newer; $(PYTHON) is %d.%d. Try make PYTHON=python3.12" % v[:2])'
	@$(PYTHON) -m venv --clear $(VENV) || { \
	    echo "Python's venv module is missing: on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	    --config-settings editable_mode=compat -e .
	@touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
