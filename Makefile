# Each target does all of its own set-up: a machine with make and a Python is enough.
# Works with GNU make 3.81 (macOS) and newer. The work is done by the scripts in ci/.
#
# Two environments, .venv and .venv-test: the demo then proves what a user's install gives, and the
# tests what theirs does. That costs disk, and keeps jax and the checkers out of the demo.

VENV := .venv
VENV_TEST := .venv-test
VENV_BENCH := .venv-bench
EXTRAS := dev,jax,plot,cuda-compile
IN_TEST_VENV = PYTHON="$(VENV_TEST)/bin/python"

.PHONY: help demo test lint bench clean

help:
	@echo "make demo    train on examples/data/adult.csv.gz and write a report"
	@echo "             XPFIT_BACKEND=jax make demo   the same on JAX"
	@echo "make test    formatting, types, tests and benchmarks at tiny size"
	@echo "make lint    formatting and types only"
	@echo "make bench   the ladder on this machine, in some 6 minutes: see xpfit-bench/ladder.html"
	@echo "make clean   remove environments and caches"
	@echo "Choose a Python with PYTHON=/path/to/python3.12"

demo:
	@XPFIT_VENV="$(VENV)" bash ci/demo

test:
	@bash ci/make-venv "$(VENV_TEST)" "$(EXTRAS)"
	@$(IN_TEST_VENV) bash ci/test

lint:
	@bash ci/make-venv "$(VENV_TEST)" "$(EXTRAS)"
	@$(IN_TEST_VENV) bash ci/test lint types

bench:
	@bash ci/make-venv "$(VENV_BENCH)" "dev,jax,plot,bench"
	@"$(VENV_BENCH)/bin/xpfit" bench --budget 300 --out xpfit-bench

clean:
	rm -rf "$(VENV)" "$(VENV_TEST)" "$(VENV_BENCH)" build dist \
	    .pytest_cache .mypy_cache .ruff_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
