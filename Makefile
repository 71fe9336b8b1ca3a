# Two environments: .venv for hieratk itself, .venv-plugins for plugins that need the newest torch stack.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PLUGIN_VENV := .venv-plugins
PLUGIN_BIN  := $(PLUGIN_VENV)/bin
PLUGINS := $(patsubst %,plugins/hieratk-%,timm smp transformers torchgeo hierars)

# Tests run in two processes; more threads than cores would only wait for each other.
tests test-plugins: export OMP_NUM_THREADS := 1

.PHONY: demo test test-plugins lint types tests docs clean

## make demo: an environment, then Indian Pines from scene to maps
demo: $(VENV)/.installed
	$(BIN)/hieratk demo --out demo

## make test: lint, types and tests of hieratk itself
test: lint types tests

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

tests: $(VENV)/.installed
	$(BIN)/pytest -n 2 --dist loadfile -q

## make test-plugins: every plugin's own tests, in an environment of its own; and the GPU kernel in triton's interpreter,
## since triton comes with that environment's torch
test-plugins: $(PLUGIN_VENV)/.installed
	$(PLUGIN_BIN)/pytest -q tests/test_kernels.py -k interpreter
	HF_HUB_OFFLINE=1 $(PLUGIN_BIN)/pytest -n 2 --dist worksteal -q $(PLUGINS)

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[demo,dev]"
	touch $@

$(PLUGIN_VENV)/.installed: pyproject.toml plugins/constraints.txt $(PLUGINS:%=%/pyproject.toml)
	$(PYTHON) -m venv $(PLUGIN_VENV)
	$(PLUGIN_BIN)/python -m pip install --quiet --upgrade pip
	$(PLUGIN_BIN)/python -m pip install --quiet --constraint plugins/constraints.txt torch torchvision
	$(PLUGIN_BIN)/python -m pip install --quiet --constraint plugins/constraints.txt \
		--editable . hypothesis $(PLUGINS:%=--editable "%[test]")
	touch $@

clean:
	rm -rf $(VENV) $(PLUGIN_VENV) build dist demo runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
