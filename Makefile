# The experiment as a table of files. `make help` says what to type, `make settings` what can be set.
#
# Every result is a file; make builds what is missing or older than what it stems from. So an interrupted run
# goes on where it was, `make -j2` runs cells side by side, and `make -n` shows what would run. The rules of the
# experiment are written by sertools/experiment, for the settings on the command line and in the environment.

JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)#   cells side by side in the demo; decoders
RUN  ?=#                              put before every tool, such as RUN="srun -n1"

# ---- Installation -------------------------------------------------------------------------------------------------
# Without a GPU, torch comes as its CPU build: first from where pip already looks, then from PyTorch's own index.
# TORCH_INDEX= names another index (a mirror, or https://download.pytorch.org/whl/cu126 for a GPU of your choice);
# TORCH= another version.
PYTHON      ?= python3
VENV        ?= .venv
TORCH       ?= torch==2.13.0
TORCH_INDEX ?=
CPU_INDEX   := https://download.pytorch.org/whl/cpu

BIN      := $(VENV)/bin
PIP      := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SERTOOLS := $(RUN) $(BIN)/sertools
READY    := $(VENV)/.ready

.DELETE_ON_ERROR:
.SUFFIXES:
experiments := demo mine mine-answer mine-cells table2 table3 ablation fig2 fig3 figures pictures stores2 cells2 cell
others      := help settings test lint types check bench test-slow test-slurm torture coverage lowest dist commands man docs clean
.PHONY: $(experiments) $(others)

help:
	@echo 'make demo                                    the whole experiment, small: under 10 minutes on 2 cores'
	@echo 'make demo ENCODER=whisper-base               the same on rows of a pretrained encoder: under 5'
	@echo 'make demo CORPUS=RAVDESS READER=ravdess      the same on a real corpus'
	@echo 'make mine CORPUS=wavs/ [READER=…] [ENCODER=…]  your own corpus: what helps its rare classes, and what to type for it'
	@echo 'make table2 CORPUS=… READER=… PROFILE=cpu    Table 2: one class reduced at a time, folds, seeds, rivals'
	@echo 'make table2 CORPUS=… READER=… ENCODER=DIR    the same on rows of a pretrained encoder: minutes'
	@echo 'make table3 CORPUS=… READER=… PROFILE=cpu    Table 3: a corpus with its own imbalance, a test set apart'
	@echo 'make ablation CORPUS=… READER=…              the paper'"'"'s four changes of BAGAN, each taken back, scored'
	@echo 'make fig2 fig3 CORPUS=… READER=…             Figures 2 and 3: original BAGAN, proposed GAN, diffusion, real speech'
	@echo 'make -n table2 …                             what that would run; V=1 shows it as it runs'
	@echo 'make settings PROFILE=cpu …                  what else can be set, to what it is set, and all METHODS'
	@echo 'make test | lint | types | check             the tests, ruff, mypy; all three'
	@echo 'make bench                                   timings against named rivals, into docs/performance.md'
	@echo 'make test-slow                               the tests that train for minutes'
	@echo 'make test-slurm                              the tests on a real SLURM (Debian: slurm-wlm, munge; as root)'
	@echo 'make torture                                 kills, failing disks, crowds and damaged files, at full length'
	@echo 'make coverage                                how often the intervals hold the truth, simulated at full length'
	@echo 'make lowest | dist                           the tests with the lowest versions; wheel and sdist, built twice'
	@echo 'make commands | man | docs                   docs/commands.md, build/man, the site in build/site'

$(READY): pyproject.toml
	@echo 'installing into $(VENV), PyTorch too: a minute or more'
	$(Q)test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(Q)$(BIN)/python -c 'import torch' 2>/dev/null || { $(install_torch); }
	$(Q)$(PIP) --editable '.[demo,dev]'
	$(Q)touch $@

ifneq ($(strip $(TORCH_INDEX)),)
install_torch = $(PIP) '$(TORCH)' --index-url $(TORCH_INDEX)
else
# A GPU, or a system whose only build is the CPU's: PyPI's own wheel. Else the CPU build.
install_torch = if nvidia-smi -L >/dev/null 2>&1 || test "$$(uname -s)" != Linux; then $(PIP) '$(TORCH)'; \
	else $(PIP) '$(TORCH)+cpu' 2>/dev/null || $(PIP) '$(TORCH)' --index-url $(CPU_INDEX); fi
endif

# ---- The experiment -----------------------------------------------------------------------------------------------
# Python's own library writes the rules, so that `make -n` installs nothing. They lie in OUT, one file per set of settings.
home       := $(dir $(lastword $(MAKEFILE_LIST)))
quoted      = '$(subst ','\'',$(1))'
given       = $(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(v)))),$(call quoted,$(v)=$($(v)))))
experiment  = PYTHONPATH=$(call quoted,$(home)) $(or $(wildcard $(BIN)/python),$(PYTHON)) -m sertools.experiment

# Lines start at once, unless RUN sends them elsewhere or -n only shows them; a line a stage, with V=1 each command.
only_shown = $(findstring n,$(firstword -$(MAKEFLAGS)))
WARM  = $(if $(strip $(RUN))$(only_shown),,$(BIN)/sertools batch --around --)
WATCH = $(if $(strip $(V))$(only_shown),,$(BIN)/python -m sertools.experiment.watch $(rules) --)
Q     = $(if $(strip $(V)),,@)

settings:
	@$(experiment) --settings -- $(given)

ifneq ($(filter-out $(others) $(READY),$(MAKECMDGOALS)),)
rules := $(shell $(experiment) --write -- $(given) $(foreach g,$(MAKECMDGOALS),$(call quoted,$(g))))
$(if $(rules),,$(error these settings give no rules))
include $(rules)
endif

# ---- Checks -------------------------------------------------------------------------------------------------------
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) -m 'not slow and not gpu and not slurm'

bench: $(READY)
	$(BIN)/python tests/benchmarks/table.py docs/performance.md $(BENCH)

test-slow: $(READY)
	$(BIN)/python -m pytest -q -m slow

# Starts a SLURM of its own; without one the tests are skipped, and say so.
test-slurm: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -rs -m slurm tests/test_slurm.py

# docs/reliability.md: MOMENTS kills, every disk fault, crowds, INPUTS damaged files; TORTURE_SEED= tries others.
MOMENTS      ?= 200
INPUTS       ?= 100000
TORTURE_SEED ?= 0
torture: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/torture/everything.py --moments $(MOMENTS) --inputs $(INPUTS) \
	    --seed $(TORTURE_SEED) --jobs $(JOBS)

# docs/statistics.md: how often every interval holds the truth, in TRIALS simulated experiments of each kind.
TRIALS ?= 2000
coverage: $(READY)
	$(BIN)/python tests/worlds.py --trials $(TRIALS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

check: lint types test

# The tests with the lowest versions that pyproject.toml allows (of torch, the one in use). What they call in packages
# that came after them is not ours to mend: no warning of it is an error here.
LOWEST := build/lowest
lowest: $(READY)
	$(BIN)/python -m venv $(LOWEST)
	$(BIN)/python .ci/lowest.py torch > $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check '$(TORCH)' $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[demo,dev]' \
	    --constraint $(LOWEST)/lowest.txt
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -q -n $(JOBS) -m 'not slow and not gpu and not slurm' \
	    -W ignore::DeprecationWarning

# Wheel and sdist, built twice to the same bytes; SOURCE_DATE_EPOCH is the time of the last commit.
dist: $(READY)
	$(PIP) build
	.ci/dist $(BIN)/python

# ---- Documentation ------------------------------------------------------------------------------------------------
commands: $(READY)
	$(BIN)/python docs/make_commands.py > docs/commands.md.part
	mv docs/commands.md.part docs/commands.md
	$(BIN)/python docs/make_keywords.py > sertools/api/typed.pyi.part
	mv sertools/api/typed.pyi.part sertools/api/typed.pyi

man: $(READY)
	$(BIN)/python docs/make_commands.py --man build/man

docs: commands
	$(PIP) --editable '.[docs]'
	$(BIN)/mkdocs build --strict

clean:
	rm -rf build dist *.egg-info
