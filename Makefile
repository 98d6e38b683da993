# The experiment as a table of files. `make help` says what to type.
#
# Every result is a file; make builds what is missing or older than what it stems from. So an interrupted run
# goes on where it was, `make -j2` runs cells side by side, and `make -n` shows what would run.

# ---- What to run on -------------------------------------------------------------------------------------------
CORPUS    ?=#                              a corpus folder; empty: a corpus spoken on the spot by espeak-ng
READER    ?= folders#                      how that folder is read; see `sertools corpus --list`
EMOTIONS  ?= angry happy sad neutral#      the classes
REDUCED   ?= angry#                        the classes that are reduced, one at a time (§3.2 of the paper)
KEEP      ?= 0.2#                          to this share of their utterances
FOLDS     ?= 2#                            speaker-disjoint folds; all are run
SEEDS     ?= 0#                            each: subset + generator + classifier
METHODS   ?= full imbalanced CP decoder GAN

# ---- How --------------------------------------------------------------------------------------------------------
OUT       ?= build/$(if $(CORPUS),$(READER),demo)#   where everything goes; other settings want another folder
PRESET    ?= smoke#                        paper: the paper's sizes, for a GPU; smoke: thin nets, for a CPU
FRONT_END ?= --mels 64 --frames 64 --tail overlap
AE_OPTS   ?=#                              further options of pretrain-ae, …
COV_OPTS  ?=
GAN_OPTS  ?=
CLF_OPTS  ?=
DEVICE    ?= auto
JOBS      ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)#   cells side by side in the demo; decoders
RUN       ?=#                              put before every tool, such as RUN="srun -n1"

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
.PHONY: help demo test test-slow lint types check clean

help:
	@echo 'make demo                                    the whole experiment, small: under 10 minutes on 2 cores'
	@echo 'make demo CORPUS=RAVDESS READER=ravdess      the same on a real corpus'
	@echo 'make table CORPUS=… REDUCED="angry sad" …    a grid of your own; the settings are at the top of the Makefile'
	@echo 'make test | lint | types | check             the tests, ruff, mypy; all three'
	@echo 'make test-slow                               the tests that train for minutes'

$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'installing into $(VENV)'
	$(BIN)/python -c 'import torch' 2>/dev/null || { $(install_torch); }
	$(PIP) --editable '.[demo,dev]'
	touch $@

ifneq ($(strip $(TORCH_INDEX)),)
install_torch = $(PIP) '$(TORCH)' --index-url $(TORCH_INDEX)
else
# A GPU, or a system whose only build is the CPU's: PyPI's own wheel. Else the CPU build.
install_torch = if nvidia-smi -L >/dev/null 2>&1 || test "$$(uname -s)" != Linux; then $(PIP) '$(TORCH)'; \
	else $(PIP) '$(TORCH)+cpu' 2>/dev/null || $(PIP) '$(TORCH)' --index-url $(CPU_INDEX); fi
endif

# ---- The experiment -----------------------------------------------------------------------------------------------
comma := ,
empty :=
space := $(empty) $(empty)
fold_numbers := $(shell n=1; while [ $$n -le $(FOLDS) ]; do echo $$n; n=$$((n + 1)); done)

ifeq ($(strip $(CORPUS)),)
# The spoken corpus: its maker is examples/demo_corpus.py.
labels := $(OUT)/corpus/labels.csv
$(labels): examples/demo_corpus.py | $(READY)
	@mkdir -p $(OUT)
	rm -rf $(@D)
	$(BIN)/python $< $(@D)
else
labels := $(OUT)/labels.csv
$(labels): | $(READY)
	@mkdir -p $(@D)
	$(SERTOOLS) corpus $(READER) $(CORPUS) > $@
endif

$(OUT)/all.h5: $(labels)
	$(SERTOOLS) extract $< -o $@ --jobs $(JOBS) $(FRONT_END)

$(OUT)/specs.h5: $(OUT)/all.h5
	$(SERTOOLS) select $< --where emotion=$(subst $(space),$(comma),$(strip $(EMOTIONS))) -o $@

# One classifier and its result: $(1) folder, $(2) fold, $(3) reduced class, $(4) seed, $(5) method, $(6) stores.
define CLASSIFIER
$(1)/$(5).clf.safetensors: $(6)
	@mkdir -p $$(@D)
	$$(SERTOOLS) train-clf $(6) -o $$@ --preset $$(PRESET) --seed $(4) --device $$(DEVICE) $$(CLF_OPTS)

$(1)/$(5).json: $(1)/$(5).clf.safetensors $(OUT)/$(2)/test.h5
	$$(SERTOOLS) evaluate $$< $(OUT)/$(2)/test.h5 -o $$@ --device $$(DEVICE) \
	    --tag method=$(5) --tag fold=$(2) $(if $(3),--tag reduced=$(3)) --tag seed=$(4)
endef

# One fold: $(1) its number.
define FOLD
$(OUT)/$(1)/test.h5: $(OUT)/specs.h5
	@mkdir -p $$(@D)
	$$(SERTOOLS) select $$< --fold $(1)/$$(FOLDS) -o $$@

$(OUT)/$(1)/full.h5: $(OUT)/specs.h5
	@mkdir -p $$(@D)
	$$(SERTOOLS) select $$< --fold $(1)/$$(FOLDS) -v -o $$@
endef

# One cell: $(1) its folder, $(2) fold, $(3) reduced class, $(4) seed.
define CELL
$(1)/train.h5: $(OUT)/$(2)/full.h5
	@mkdir -p $$(@D)
	$$(SERTOOLS) select $$< --keep $(3)=$$(KEEP) --seed $(4) -o $$@

$(1)/CP.h5: $(1)/train.h5
	$$(SERTOOLS) augment $$< --strategy CP --seed $(4) -o $$@

$(1)/ae.safetensors: $(1)/train.h5
	$$(SERTOOLS) pretrain-ae $$< -o $$@ --preset $$(PRESET) --seed $(4) --device $$(DEVICE) $$(AE_OPTS)

$(1)/latents.h5: $(1)/ae.safetensors $(1)/train.h5
	$$(SERTOOLS) fit-latents $$^ -o $$@ --device $$(DEVICE) $$(COV_OPTS)

$(1)/gan.safetensors: $(1)/ae.safetensors $(1)/latents.h5 $(1)/train.h5
	$$(SERTOOLS) finetune-gan $$^ -o $$@ --preset $$(PRESET) --seed $(4) --device $$(DEVICE) $$(GAN_OPTS)

$(1)/decoder.safetensors: $(1)/ae.safetensors $(1)/latents.h5 $(1)/train.h5
	$$(SERTOOLS) finetune-gan $$^ -o $$@ --preset $$(PRESET) --seed $(4) --device $$(DEVICE) --steps 0

$(1)/GAN.h5: $(1)/gan.safetensors $(1)/train.h5
	$$(SERTOOLS) generate $$< --balance $(1)/train.h5 --seed $(4) --device $$(DEVICE) -o $$@

$(1)/decoder.h5: $(1)/decoder.safetensors $(1)/train.h5
	$$(SERTOOLS) generate $$< --balance $(1)/train.h5 --seed $(4) --device $$(DEVICE) -o $$@

$(call CLASSIFIER,$(1),$(2),$(3),$(4),imbalanced,$(1)/train.h5)
$(call CLASSIFIER,$(1),$(2),$(3),$(4),CP,$(1)/CP.h5)
$(call CLASSIFIER,$(1),$(2),$(3),$(4),decoder,$(1)/train.h5 $(1)/decoder.h5)
$(call CLASSIFIER,$(1),$(2),$(3),$(4),GAN,$(1)/train.h5 $(1)/GAN.h5)
endef

$(foreach f,$(fold_numbers),$(eval $(call FOLD,$(f))))
# Nothing removed: one classifier a fold and seed, for all reduced classes.
$(foreach f,$(fold_numbers),$(foreach s,$(SEEDS),\
  $(eval $(call CLASSIFIER,$(OUT)/$(f)/seed$(s),$(f),,$(s),full,$(OUT)/$(f)/full.h5))))
$(foreach f,$(fold_numbers),$(foreach c,$(REDUCED),$(foreach s,$(SEEDS),\
  $(eval $(call CELL,$(OUT)/$(f)/$(c)/seed$(s),$(f),$(c),$(s))))))

results := \
  $(if $(filter full,$(METHODS)),$(foreach f,$(fold_numbers),$(foreach s,$(SEEDS),$(OUT)/$(f)/seed$(s)/full.json))) \
  $(foreach m,$(filter-out full,$(METHODS)),$(foreach f,$(fold_numbers),$(foreach c,$(REDUCED),\
    $(foreach s,$(SEEDS),$(OUT)/$(f)/$(c)/seed$(s)/$(m).json))))

.PHONY: table pictures
table: $(OUT)/table.txt
	@cat $<

$(OUT)/table.txt: $(results)
	$(BIN)/sertools report $(results) > $@

# Real beside generated of the first cell, and what the GAN's classifiers confuse.
first := $(OUT)/1/$(firstword $(REDUCED))/seed$(firstword $(SEEDS))
pictures: $(OUT)/real-and-generated.png $(OUT)/confusion.png

$(OUT)/real-and-generated.png: $(first)/train.h5 $(first)/samples.h5
	$(BIN)/sertools plot $^ -o $@ --title 'Real and generated speech'

$(first)/samples.h5: $(first)/gan.safetensors
	$(SERTOOLS) generate $< --per-class 16 -o $@ --device $(DEVICE)

$(OUT)/confusion.png: $(filter %/GAN.json,$(results))
	$(BIN)/sertools plot $^ -o $@ --title 'Trained with GAN rows'

# Thin nets gain more from cells side by side than from threads; and one thread gives the same bytes on any machine.
demo: $(READY)
	OMP_NUM_THREADS=1 $(MAKE) -j$(JOBS) $(OUT)/table.txt pictures
	@echo
	@cat $(OUT)/table.txt
	@echo
	@echo 'pictures: $(OUT)/real-and-generated.png $(OUT)/confusion.png'

# ---- Checks -------------------------------------------------------------------------------------------------------
test: $(READY)
	$(BIN)/python -m pytest -q -m 'not slow and not gpu and not slurm'

test-slow: $(READY)
	$(BIN)/python -m pytest -q -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

check: lint types test

clean:
	rm -rf build dist *.egg-info
