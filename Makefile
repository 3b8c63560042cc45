# Everything runs in .venv, which the first target makes.  PYTHON names the interpreter: make PYTHON=python3.12 test
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export TF_CPP_MIN_LOG_LEVEL := 3

.PHONY: help demo test test-long bench lint docs clean

help:
	@echo "make demo       compress two trained Fashion-MNIST classifiers and print what it gave"
	@echo "make test       what CI runs: lint, types, import contracts, docs, tests"
	@echo "make test-long  the slow and large tests too"
	@echo "make bench      measure against onnxruntime's own tools; writes benchmarks/results"

.venv/base: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/dev: .venv/base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

.venv/bench: .venv/base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

demo: .venv/base
	$(BIN)/python demo/run.py

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/dev
	$(BIN)/mkdocs build --strict --quiet

test: lint docs
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not long"

test-long: .venv/dev .venv/bench
	$(BIN)/python -m pytest -n 2 --dist loadfile

bench: .venv/bench
	$(BIN)/python benchmarks/run_all.py

clean:
	rm -rf .venv out site
