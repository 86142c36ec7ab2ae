# Each target does all set-up itself; the second time that takes no time.

# Extras of pyproject.toml that work on the code and its tests needs.
EXTRAS := test,docs,bench,scene,corpus,matlab,desktop,networks,onnx
VENV := .venv
# Always as modules: the scripts beside it name their interpreter by its absolute path.
PYTHON_HERE := $(VENV)/bin/python
READY := $(VENV)/.ready

export PYTHON

.PHONY: help links test docs tensorrt dist demo bench clean

help:
	@echo 'make test        lint, types, import rules, tests'
	@echo 'make docs        build the documentation: build/docs/index.html'
	@echo 'make tensorrt    does TensorRT take every network? needs no GPU'
	@echo 'make dist        build sdist and wheel, install them, run the demo from the wheel'
	@echo 'make demo        see it work: simulated listener, no hardware'
	@echo 'make bench       measure speed and latency on this machine'
	@echo 'make clean       remove the virtual environment and all caches'
	@echo 'make PYTHON=/path/to/python ...   with a certain Python (3.11 to 3.13)'

$(READY): pyproject.toml .ci/setup Makefile
	@.ci/setup '$(VENV)' '$(EXTRAS)'
	@touch '$@'

links:
	@.ci/links

# Six tests at once also on two cores: half of the time tests wait for streams, whose clock is the world's.
test: $(READY) links
	$(PYTHON_HERE) -m ruff check .
	$(PYTHON_HERE) -m ruff format --check .
	$(PYTHON_HERE) -m mypy
	PYTHONPATH=.links $(PYTHON_HERE) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	$(PYTHON_HERE) -m pytest -n 6 --dist loadfile --no-loadscope-reorder

# Warnings are errors, links that lead nowhere among them.
docs: $(READY) links
	PYTHONPATH=.links $(PYTHON_HERE) -P -m sphinx --fail-on-warning --keep-going --quiet -b html -d build/docs-cache docs build/docs

tensorrt: $(READY) links
	.ci/tensorrt '$(PYTHON_HERE)'

dist: $(READY)
	$(PYTHON_HERE) -P .ci/wheel.py

demo: $(READY)
	$(PYTHON_HERE) -P -m earmark.app.cli demo

bench: $(READY)
	$(PYTHON_HERE) -P -m earmark.app.cli bench graph

clean:
	rm -rf '$(VENV)' .links build dist docs/reference *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
