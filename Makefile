# Python 3.11 or newer, make and the package index are enough: everything else is installed into .venv.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Snakemake imports its plugin for Slurm whenever that is installed, which fails where sinfo is alone.
SLURM_PLUGIN := $(wildcard .venv/lib/python*/site-packages/snakemake_executor_plugin_slurm)

.PHONY: help demo study scsampler test bench lint format slurm doctor pins clean slurm-programs
.DEFAULT_GOAL := help

help:
	@echo "make demo    draw the demo's videos and run the whole chain on them: results/demo/report.html"
	@echo "make study   the demo for three seeds: mean and spread"
	@echo "make scsampler  SCSampler on the demo's videos, and its four tables"
	@echo "make test    the tests                        make lint   style, types, architecture"
	@echo "make test ARGS=\"-m 'slurm or kills or long'\"  those on a real Slurm (root, Debian), of killed runs, of longer ones"
	@echo "make bench   a table of ratios: how fast the stages are, against limits and other libraries"
	@echo "make format  format the code"
	@echo "make doctor  what is installed, and the cure for what is broken"
	@echo "make slurm   what 'snakemake --profile slurm' needs besides"
	@echo "make clean   remove what was installed and what tools left behind; results and their record stay"
	@echo "ARGS=... goes to snakemake, pytest: make demo ARGS=--dry-run"

demo: $(if $(SLURM_PLUGIN),slurm-programs) .venv/installed
	$(BIN)/snakemake --cores all $(ARGS)

study: $(if $(SLURM_PLUGIN),slurm-programs) .venv/installed
	$(BIN)/snakemake --cores all study $(ARGS)

scsampler: $(if $(SLURM_PLUGIN),slurm-programs) .venv/installed
	$(BIN)/snakemake --cores all scsampler $(ARGS)
	@test ! -f results/demo/evaluation/scsampler.tsv || $(BIN)/python -P -m l2l scsampler results/demo/evaluation/scsampler.tsv

test: slurm-programs .venv/installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slurm and not kills and not long" $(ARGS)

bench: .venv/installed-bench
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench.py $(ARGS)

lint: slurm-programs .venv/installed-lint
	@status=0; for check in "ruff check" "ruff format --check" "snakefmt --check Snakefile workflow" "snakemake --lint" lint-imports mypy; do \
		echo "== $$check"; $(BIN)/$$check || status=1; \
	done; exit $$status

format: .venv/installed-lint
	$(BIN)/ruff format
	$(BIN)/snakefmt Snakefile workflow

slurm: slurm-programs .venv/installed-slurm

slurm-programs:
	@! command -v sinfo > /dev/null || command -v squeue > /dev/null || command -v sacct > /dev/null \
		|| { echo "l2l: `command -v sinfo` is on PATH without squeue or sacct, as on some login nodes, and with it Snakemake's" \
		"plugin for Slurm does not start: install all of Slurm's client programs, or take it off PATH" >&2; exit 1; }

doctor: .venv/installed
	$(BIN)/python -P -m l2l doctor

# Each extra of pyproject.toml has its stamp, so that the second `make demo` installs nothing.
# uv takes seconds where pip takes minutes, but reads none of pip's settings (a mirror, a certificate): where it fails, pip tries.
define INSTALL
@$(BIN)/uv pip install --quiet --compile-bytecode --system-certs --python $(BIN)/python --constraints constraints.txt --build-constraints constraints.txt \
	--editable $(1) \
	|| { echo "uv could not install it; trying pip, with its own settings" >&2; \
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable $(1); }
endef

.venv/installed: $(BIN)/uv pyproject.toml constraints.txt
	@echo "Installing into .venv: some 5 GB, once"
	$(call INSTALL,".")
	@touch $@

.venv/installed-%: .venv/installed
	$(call INSTALL,".[$*]")
	@touch $@

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null \
		|| { echo "l2l needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version 2>&1`: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv > /dev/null \
		|| { rm -rf .venv; echo "l2l: $(PYTHON) cannot make a virtual environment with pip: install python3-venv, or name another by make PYTHON=..." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv

# The newest versions that go together, on every platform and for every extra.
pins: $(BIN)/uv
	@(echo '# Every package of every extra, on every platform, at the one version that is tested. `make pins` writes this file.'; \
		(echo uv; echo setuptools) | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate --no-header \
		--no-emit-index-url --upgrade pyproject.toml - | sed 's/ ;.*//') > .constraints.part && mv .constraints.part constraints.txt

clean:
	rm -rf .venv .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
