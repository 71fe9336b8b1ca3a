# Two environments: .venv for hieratk itself, .venv-plugins for plugins that need the newest torch stack.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PLUGIN_VENV := .venv-plugins
PLUGIN_BIN  := $(PLUGIN_VENV)/bin

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

## make test-plugins: every plugin's own tests, in an environment of its own
test-plugins: $(PLUGIN_VENV)/.installed
	HF_HUB_OFFLINE=1 $(PLUGIN_BIN)/pytest -q plugins/hieratk-smp

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[demo,dev]"
	touch $@

$(PLUGIN_VENV)/.installed: pyproject.toml plugins/hieratk-smp/pyproject.toml
	$(PYTHON) -m venv $(PLUGIN_VENV)
	$(PLUGIN_BIN)/python -m pip install --quiet --upgrade pip
	$(PLUGIN_BIN)/python -m pip install --quiet torch torchvision
	$(PLUGIN_BIN)/python -m pip install --quiet --editable . --editable "plugins/hieratk-smp[test]"
	touch $@

clean:
	rm -rf $(VENV) $(PLUGIN_VENV) build dist demo runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
