# The experiment as a table of files. `make help` says what to type.
#
# Every result is a file; make builds what is missing or older than what it stems from. So an interrupted run
# goes on where it was, `make -j2` runs cells side by side, and `make -n` shows what would run.

# ---- What to run on -------------------------------------------------------------------------------------------
CORPUS    ?=#                              a corpus folder; empty: a corpus spoken on the spot by espeak-ng
READER    ?= folders#                      how that folder is read; see `sertools corpus --list`
RELABEL   ?=#                              emotions that count as another, such as calm=neutral
PROFILE   ?= smoke#                        smoke: minutes; cpu: an hour or so on two cores; paper: the paper, for a GPU
EMOTIONS  ?= angry happy sad neutral#      the classes of Table 2
CLASSES   ?= $(CLASSES_$(PROFILE))#        those that are reduced, one at a time (§3.2 of the paper)
KEEP      ?= 0.2#                          to this share of their utterances
FOLDS     ?= $(FOLDS_$(PROFILE))#          all are run
BY        ?= speaker#                      what a fold keeps together: speaker or session
VAL       ?= $(VAL_$(PROFILE))#            one part in so many of the training set is for validation: to choose an
#                                          operating point, never to train on; empty: none
VAL_BY    ?= $(VAL_BY_$(PROFILE))#         and what that keeps together
SEEDS     ?= 0#                            each: subset + generator + classifier
METHODS   ?=#                              rows of the table, or joined as in pot+half; empty: METHODS_2, METHODS_3
NOISE     ?= $(wildcard $(dir $(CORPUS:/=))noise)#   background noise for SA, SAR, SARM, SARB; or beside the corpus
TEST      ?=#                              Table 3: a store to test on; empty: fold 1 of 3, by speaker
WILD      ?=#                              Table 3: its classes; empty: all of the corpus
THIN      ?=#                              Table 3: thin the corpus out, such as THIN="sad=0.2 happy=0.5"
RIVALS    ?=#                              CSVs of other tools' predictions, for the table; see `sertools report --help`

# ---- How --------------------------------------------------------------------------------------------------------
OUT       ?= build/$(if $(CORPUS),$(READER),demo)-$(PROFILE)#   other settings want another folder
PRESET    ?= $(PROFILE)#                   numbers of the training steps
FRONT_END ?= $(FRONT_END_$(PROFILE))#      options of extract
WIDTH     ?=#                              scales the filters of all nets; empty: the preset's
AE_OPTS   ?=#                              further options of pretrain-ae, …
COV_OPTS  ?=
GAN_OPTS  ?=
GEN_OPTS  ?=
FLOW_OPTS ?=#                              of flow, flowcut and flowall, such as --strength 0.8
PER_CLASS ?= 60#                           rows that potall and flowall make of every class
PCA       ?= 60#                           principal components that pot and potcut move rows in
CLF_OPTS  ?=
TUNE_OPTS ?= --steps 150 --lr 1e-3#        of a tuned classifier; the preset's are for one from nothing
DEVICE    ?= auto
JOBS      ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)#   cells side by side in the demo; decoders
RUN       ?=#                              put before every tool, such as RUN="srun -n1"

CLASSES_smoke   := angry
CLASSES_cpu     := angry happy sad
CLASSES_paper   := angry happy sad
FOLDS_smoke     := 2
FOLDS_cpu       := 3
FOLDS_paper     := 5
VAL_smoke       :=
VAL_cpu         := 4
VAL_paper       := 10
VAL_BY_smoke    := speaker
VAL_BY_cpu      := speaker
VAL_BY_paper    := utterance
FRONT_END_smoke := --mels 64 --frames 64 --tail overlap
FRONT_END_cpu   := --mels 64 --frames 64 --tail overlap --trim 35
FRONT_END_paper :=
# Pictures need more training than a table's cell can have, and a thin net without dropout: docs/generator.md.
FIG_AE_cpu      := --width 1/8 --dropout 0 --batch-size 16 --steps 1800
FIG_GAN_cpu     := --lr-g 1e-6 --lr-d 1e-6#  the paper's; at the preset's 1e-4 a checkerboard comes in
FIG_GEN_cpu     := --steps 4000
FIG_LR_paper    := 1e-3
FIG_LR_bagan    := 3e-4#             without normalisation it may learn nothing at 1e-3
FREE            := weighted focal logit-adjust balanced specaug cutpaste mixup
METHODS_2       := $(or $(METHODS),$(if $(filter smoke,$(PROFILE)),full imbalanced CP gauss gan,\
                     full imbalanced $(FREE) CP SA smote gauss gan))
METHODS_3       := $(or $(METHODS),imbalanced RS0.4 RS0.6 RS0.8 RS1.0 CP SA SAR SARM SARB SARS $(FREE) smote gauss gan)

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
.PHONY: help demo table2 table3 ablation leave-one-out fig2 fig3 figures pictures bench test test-slow test-slurm torture
.PHONY: lint types check lowest dist commands man docs clean

help:
	@echo 'make demo                                    the whole experiment, small: under 10 minutes on 2 cores'
	@echo 'make demo CORPUS=RAVDESS READER=ravdess      the same on a real corpus'
	@echo 'make table2 CORPUS=… READER=… PROFILE=cpu    Table 2: one class reduced at a time, folds, seeds, rivals'
	@echo 'make table3 CORPUS=… READER=… PROFILE=cpu    Table 3: a corpus with its own imbalance, a test set apart'
	@echo 'make ablation CORPUS=… READER=…              the paper'"'"'s four changes of BAGAN, each taken back, scored'
	@echo 'make leave-one-out CORPUS=… READER=…         what was tried to improve the GAN, each thing left out, scored'
	@echo 'make fig2 fig3 CORPUS=… READER=…             Figures 2 and 3: original BAGAN, proposed GAN, diffusion, real speech'
	@echo 'make -n table2 …                             what that would run; every setting is at the top of the Makefile'
	@echo 'make test | lint | types | check             the tests, ruff, mypy; all three'
	@echo 'make bench                                   timings against named rivals, into docs/performance.md'
	@echo 'make test-slow                               the tests that train for minutes'
	@echo 'make test-slurm                              the tests on a real SLURM (Debian: slurm-wlm, munge; as root)'
	@echo 'make torture                                 kills, failing disks, crowds and damaged files, at full length'
	@echo 'make lowest | dist                           the tests with the lowest versions; wheel and sdist, built twice'
	@echo 'make commands | man | docs                   docs/commands.md, build/man, the site in build/site'

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
commas = $(subst $(space),$(comma),$(strip $(1)))
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
	$(SERTOOLS) corpus $(READER) $(CORPUS) $(foreach r,$(RELABEL),--relabel $(r)) > $@
endif

$(OUT)/all.h5: $(labels)
	$(SERTOOLS) extract $< -o $@ --jobs $(JOBS) $(FRONT_END)

# ---- What a method is: a store to train on, or options of train-clf ------------------------------------------------
STRATEGIES := CP SA SAR SARM SARB SARS RS0.4 RS0.6 RS0.8 RS1.0
# pot, potw, potcut, switch, flow and flowcut move rows of other classes into the reduced one: by optimal transport in the
# space of principal components (within speakers; pasted), by a VAE told another class, by a diffusion model's flow. Of
# ganbest's and potbest's candidates a critic keeps one in four: the GAN's discriminator, the classifier of `imbalanced`.
# potall and flowall move as many rows into every class: what is said by one speaker in one emotion, in all of them.
GENERATORS := smote gauss gan ganbest pot potw potcut potbest potall cvae switch diffusion flow flowcut flowall
# No methods, but what those could give at best: their generator has seen the rows that were removed. Table 2 alone.
ORACLES    := pot-oracle flow-oracle diffusion-oracle
OPTIONS_weighted     := --loss weighted
OPTIONS_focal        := --loss focal
OPTIONS_logit-adjust := --loss logit-adjust
OPTIONS_balanced     := --sampling balanced --loss cross-entropy
OPTIONS_specaug      := --spec-augment strong
OPTIONS_cutpaste     := --cut-paste 0.5
OPTIONS_mixup        := --mixup 0.3
# What synthetic rows are of their class's draws; to be joined to a method that has such rows. `natural` makes no class
# larger, and goes with a loss: flow+natural+logit-adjust. In Table 2 they are rows of the reduced class alone, the one
# that is asked about; of OF_ALL, of every class.
SHARES := natural quarter half most
OF_ALL := potall flowall
OPTIONS_natural := --synthetic-share 0.5
OPTIONS_quarter := $(OPTIONS_balanced) --synthetic-share 0.25
OPTIONS_half    := $(OPTIONS_balanced) --synthetic-share 0.5
OPTIONS_most    := $(OPTIONS_balanced) --synthetic-share 0.75
# A classifier of another method, trained on by the recorded rows alone: pot+half+tuned goes on from pot+half.
OPTIONS_tuned = --loss logit-adjust $(TUNE_OPTS)
# Parts may be joined: CP+specaug trains on CP's store with specaug's options.
parts   = $(subst +, ,$(1))
strange := $(filter-out full imbalanced $(STRATEGIES) $(GENERATORS) $(ORACLES) $(FREE) $(SHARES) tuned,$(call parts,$(METHODS)))
$(if $(strange),$(error METHODS: $(strange): known are full imbalanced $(STRATEGIES) $(FREE) $(GENERATORS) $(ORACLES),\
    and any of these joined with + to each other or to one of $(SHARES) tuned))
options = $(foreach p,$(or $(filter tuned,$(call parts,$(1))),$(call parts,$(1))),$(OPTIONS_$(p)))

# What a classifier learns from: $(1) folder, $(2) training store, $(3) method, $(4) the reduced class, if there is one.
altered   = $(filter $(STRATEGIES),$(call parts,$(1)))
generated = $(filter $(GENERATORS) $(ORACLES),$(call parts,$(1)))
# What a tuned one goes on from.
before    = $(if $(filter tuned,$(call parts,$(2))),$(1)/$(subst +tuned,,$(2)).clf.safetensors)
# Whose classifiers there are rules for: potbest asks that of `imbalanced`, a tuned one needs the one before it.
trained   = $(sort $(filter-out full,$(1)) $(if $(filter potbest,$(call parts,$(1))),imbalanced) \
            $(subst +tuned,,$(filter %+tuned,$(1))))
stores    = $(if $(call before,$(1),$(3)),$(2),$(call joined,$(1),$(2),$(3),$(4)))
joined    = $(if $(call altered,$(3)),$(1)/$(call altered,$(3)).h5,$(2)) \
            $(foreach g,$(call generated,$(3)),$(1)/$(g)$(if $(call narrowed,$(3),$(4),$(g)),-alone).h5)
narrowed  = $(and $(2),$(filter $(SHARES),$(call parts,$(1))),$(filter-out $(OF_ALL),$(3)))
# The paper's classifier keeps its best weights on validation; a cycle of the learning rate ends in its best.
val_option = $(if $(filter paper,$(PRESET)),$(if $(1),--val $(1)))

# One classifier and its result: $(1) folder, $(2) training store, $(3) method, $(4) test, $(5) validation,
# $(6) fold, $(7) seed, $(8) the reduced class, if there is one.
define CLASSIFIER
$(1)/$(3).clf.safetensors: $(call stores,$(1),$(2),$(3),$(8)) $(call before,$(1),$(3))
	@mkdir -p $$(@D)
	$$(SERTOOLS) train-clf $(call stores,$(1),$(2),$(3),$(8)) -o $$@ --preset $$(PRESET) --seed $(7) --device $$(DEVICE) \
	    $(call val_option,$(5)) $$(if $$(WIDTH),--width $$(WIDTH)) $(call options,$(3)) \
	    $(addprefix --init ,$(call before,$(1),$(3))) $$(CLF_OPTS)

$(1)/$(3).json: $(1)/$(3).clf.safetensors $(4) $(5)
	$$(SERTOOLS) evaluate $$< $(4) -o $$@ --device $$(DEVICE) $(if $(5),--val $(5)) \
	    --tag method=$(3) --tag fold=$(6) $(if $(8),--tag reduced=$(8)) --tag seed=$(7)
endef

# What the methods train on: $(1) folder, $(2) training store, $(3) seed.
define GENERATOR
$(1)/ae.safetensors: $(2)
	@mkdir -p $$(@D)
	$$(SERTOOLS) pretrain-ae $$< -o $$@ --preset $$(PRESET) --seed $(3) --device $$(DEVICE) \
	    $$(FIG_AE) $$(if $$(WIDTH),--width $$(WIDTH)) $$(AE_OPTS)

$(1)/latents.h5: $(1)/ae.safetensors $(2)
	$$(SERTOOLS) fit-latents $$^ -o $$@ --device $$(DEVICE) $$(COV_OPTS)

$(1)/gan.safetensors: $(1)/ae.safetensors $(1)/latents.h5 $(2)
	$$(SERTOOLS) finetune-gan $$^ -o $$@ --preset $$(PRESET) --seed $(3) --device $$(DEVICE) \
	    $$(FIG_GAN) $$(GAN_OPTS)

$(1)/gauss.safetensors: $(1)/ae.safetensors $(1)/latents.h5 $(2)
	$$(SERTOOLS) finetune-gan $$^ -o $$@ --preset $$(PRESET) --seed $(3) --device $$(DEVICE) --steps 0

$(1)/gan.h5: $(1)/gan.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --seed $(3) --device $$(DEVICE) -o $$@

$(1)/ganbest.h5: $(1)/gan.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --critic $$< --seed $(3) --device $$(DEVICE) -o $$@

$(1)/gauss.h5: $(1)/gauss.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --seed $(3) --device $$(DEVICE) -o $$@

$(1)/smote.h5: $(1)/gauss.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --smote $(2) --seed $(3) --device $$(DEVICE) -o $$@

$(1)/cvae.safetensors $(1)/diffusion.safetensors: $(1)/%.safetensors: $(2)
	@mkdir -p $$(@D)
	$$(SERTOOLS) train-generator $$< -o $$@ --kind $$* --preset $$(PRESET) --seed $(3) --device $$(DEVICE) \
	    $$(FIG_GEN) $$(if $$(WIDTH),--width $$(WIDTH)) $$(GEN_OPTS)

$(1)/cvae.h5 $(1)/diffusion.h5: $(1)/%.h5: $(1)/%.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --seed $(3) --device $$(DEVICE) -o $$@

$(1)/switch.h5: $(1)/cvae.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --translate $(2) --seed $(3) --device $$(DEVICE) -o $$@

$(1)/flow.h5: $(1)/diffusion.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --translate $(2) --seed $(3) --device $$(DEVICE) -o $$@ $$(FLOW_OPTS)

$(1)/flowcut.h5: $(1)/diffusion.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --translate $(2) --paste --seed $(3) --device $$(DEVICE) -o $$@ \
	    $$(FLOW_OPTS)

$(1)/flowall.h5: $(1)/diffusion.safetensors $(2)
	$$(SERTOOLS) generate $$< --per-class $$(PER_CLASS) --translate $(2) --seed $(3) --device $$(DEVICE) -o $$@ \
	    $$(FLOW_OPTS)

$(1)/ae-pca.safetensors: $(2)
	@mkdir -p $$(@D)
	$$(SERTOOLS) pretrain-ae $$< -o $$@ --latent pca --latent-size $$(PCA)

$(1)/latents-pca.h5: $(1)/ae-pca.safetensors $(2)
	$$(SERTOOLS) fit-latents $$^ -o $$@ --cov pooled --device $$(DEVICE)

$(1)/gan0-pca.safetensors: $(1)/ae-pca.safetensors $(1)/latents-pca.h5 $(2)
	$$(SERTOOLS) finetune-gan $$^ -o $$@ --seed $(3) --device $$(DEVICE) --steps 0

$(1)/pot.h5: $(1)/gan0-pca.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --translate $(2) --seed $(3) --device $$(DEVICE) -o $$@

$(1)/potw.h5: $(1)/gan0-pca.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --translate $(2) --within-speaker --seed $(3) --device $$(DEVICE) -o $$@

$(1)/potcut.h5: $(1)/gan0-pca.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --translate $(2) --paste --seed $(3) --device $$(DEVICE) -o $$@

$(1)/potall.h5: $(1)/gan0-pca.safetensors $(2)
	$$(SERTOOLS) generate $$< --per-class $$(PER_CLASS) --translate $(2) --seed $(3) --device $$(DEVICE) -o $$@

$(1)/potbest.h5: $(1)/gan0-pca.safetensors $(1)/imbalanced.clf.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --translate $(2) --critic $(1)/imbalanced.clf.safetensors \
	    --seed $(3) --device $$(DEVICE) -o $$@
endef

# Oracles of a cell: $(1) folder, $(2) training store, $(3) folder of generators that saw everything, $(4) seed.
define ORACLE
$(1)/pot-oracle.h5: $(3)/gan0-pca.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --translate $(2) --seed $(4) --device $$(DEVICE) -o $$@

$(1)/flow-oracle.h5: $(3)/diffusion.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --translate $(2) --seed $(4) --device $$(DEVICE) -o $$@ $$(FLOW_OPTS)

$(1)/diffusion-oracle.h5: $(3)/diffusion.safetensors $(2)
	$$(SERTOOLS) generate $$< --balance $(2) --seed $(4) --device $$(DEVICE) -o $$@
endef

# $(1) folder, $(2) training store, $(3) strategy, $(4) seed.
define STRATEGY
$(1)/$(3).h5: $(2)
	@mkdir -p $$(@D)
	$$(SERTOOLS) augment $$< --strategy $(3) $(if $(filter SA SAR SARM SARB,$(3)),$$(if $$(NOISE),--noise $$(NOISE))) \
	    --seed $(4) -o $$@
endef

# ---- Table 2: folds, reduced classes, seeds -------------------------------------------------------------------------
$(OUT)/specs.h5: $(OUT)/all.h5
	$(SERTOOLS) select $< --where emotion=$(call commas,$(EMOTIONS)) -o $@

# One fold: $(1) its number.
define FOLD
$(OUT)/$(1)/test.h5: $(OUT)/specs.h5
	@mkdir -p $$(@D)
	$$(SERTOOLS) select $$< --fold $(1)/$$(FOLDS) --by $$(BY) -o $$@

$(OUT)/$(1)/rest.h5: $(OUT)/specs.h5
	@mkdir -p $$(@D)
	$$(SERTOOLS) select $$< --fold $(1)/$$(FOLDS) --by $$(BY) -v -o $$@

$(OUT)/$(1)/val.h5: $(OUT)/$(1)/rest.h5
	$$(SERTOOLS) select $$< --fold 1/$$(VAL) --by $$(VAL_BY) -o $$@

$(OUT)/$(1)/full.h5: $(OUT)/$(1)/rest.h5
	$$(SERTOOLS) select $$< --fold 1/$$(VAL) --by $$(VAL_BY) -v -o $$@
endef
$(foreach f,$(fold_numbers),$(eval $(call FOLD,$(f))))
full = $(OUT)/$(1)/$(if $(strip $(VAL)),full,rest).h5
val  = $(if $(strip $(VAL)),$(OUT)/$(1)/val.h5)

# The reduced training set of a cell, and of what is generated the rows of that class: $(1) its folder, $(2) fold,
# $(3) class, $(4) seed.
define REDUCED
$(1)/train.h5: $(call full,$(2))
	@mkdir -p $$(@D)
	$$(SERTOOLS) select $$< --keep $(3)=$$(KEEP) --seed $(4) -o $$@

$(1)/%-alone.h5: $(1)/%.h5
	$$(SERTOOLS) select $$< --where emotion=$(3) -o $$@
endef

cell = $(OUT)/$(1)/$(2)/seed$(3)
$(foreach f,$(fold_numbers),$(foreach s,$(SEEDS),\
  $(if $(filter full,$(METHODS_2)),$(eval $(call CLASSIFIER,$(OUT)/$(f)/seed$(s),$(call full,$(f)),full,\
    $(OUT)/$(f)/test.h5,$(call val,$(f)),$(f),$(s))))\
  $(if $(filter $(ORACLES),$(call parts,$(METHODS_2))),\
    $(eval $(call GENERATOR,$(OUT)/$(f)/seed$(s),$(call full,$(f)),$(s))))\
  $(foreach c,$(CLASSES),\
    $(eval $(call ORACLE,$(call cell,$(f),$(c),$(s)),$(call cell,$(f),$(c),$(s))/train.h5,$(OUT)/$(f)/seed$(s),$(s)))\
    $(eval $(call REDUCED,$(call cell,$(f),$(c),$(s)),$(f),$(c),$(s)))\
    $(eval $(call GENERATOR,$(call cell,$(f),$(c),$(s)),$(call cell,$(f),$(c),$(s))/train.h5,$(s)))\
    $(foreach m,$(sort $(filter $(STRATEGIES),$(call parts,$(METHODS_2)))),\
      $(eval $(call STRATEGY,$(call cell,$(f),$(c),$(s)),$(call cell,$(f),$(c),$(s))/train.h5,$(m),$(s))))\
    $(foreach m,$(call trained,$(METHODS_2)),\
      $(eval $(call CLASSIFIER,$(call cell,$(f),$(c),$(s)),$(call cell,$(f),$(c),$(s))/train.h5,$(m),\
        $(OUT)/$(f)/test.h5,$(call val,$(f)),$(f),$(s),$(c)))))))

results_2 := \
  $(if $(filter full,$(METHODS_2)),$(foreach f,$(fold_numbers),$(foreach s,$(SEEDS),$(OUT)/$(f)/seed$(s)/full.json))) \
  $(foreach m,$(filter-out full,$(METHODS_2)),$(foreach f,$(fold_numbers),$(foreach c,$(CLASSES),\
    $(foreach s,$(SEEDS),$(call cell,$(f),$(c),$(s))/$(m).json))))

# For examples/slurm/table2.sh: the stores that all cells share, the cells' folders, and all results of one.
.PHONY: stores2 cells2 cell
stores2: $(foreach f,$(fold_numbers),$(call full,$(f)) $(OUT)/$(f)/test.h5 $(call val,$(f)))
cells2:
	@printf '%s\n' $(sort $(dir $(results_2)))
cell: $(filter $(CELL)%,$(results_2))
ifeq ($(filter paper,$(PROFILE)),)
cell: export OMP_NUM_THREADS = 1
endif

$(OUT)/table2.txt: $(results_2) $(RIVALS)
	$(BIN)/sertools report $^ --layout table2 --paper > $@.part
	echo >> $@.part
	$(BIN)/sertools report $^ >> $@.part
	mv $@.part $@

# ---- Table 3: a corpus with its own imbalance, 80 % to train on and 20 % to validate, a test set apart ---------------
wild := $(OUT)/wild

$(wild)/all.h5: $(OUT)/all.h5
	@mkdir -p $(@D)
	$(SERTOOLS) select $< $(if $(strip $(WILD)),--where emotion=$(call commas,$(WILD))) -o $@

ifeq ($(strip $(TEST)),)
wild_test := $(wild)/test.h5
$(wild)/test.h5: $(wild)/all.h5
	$(SERTOOLS) select $< --fold 1/3 --by $(BY) -o $@

$(wild)/rest.h5: $(wild)/all.h5
	$(SERTOOLS) select $< --fold 1/3 --by $(BY) -v -o $@
wild_rest := $(wild)/rest.h5
else
wild_test := $(TEST)
wild_rest := $(wild)/all.h5
endif

$(wild)/pool.h5: $(wild_rest)
	$(SERTOOLS) select $< $(foreach k,$(THIN),--keep $(k)) -o $@

$(wild)/val.h5: $(wild)/pool.h5
	$(SERTOOLS) select $< --fold 1/5 --by utterance -o $@

$(wild)/train.h5: $(wild)/pool.h5
	$(SERTOOLS) select $< --fold 1/5 --by utterance -v -o $@

$(foreach s,$(SEEDS),\
  $(eval $(call GENERATOR,$(wild)/seed$(s),$(wild)/train.h5,$(s)))\
  $(foreach m,$(sort $(filter $(STRATEGIES),$(call parts,$(METHODS_3)))),\
    $(eval $(call STRATEGY,$(wild)/seed$(s),$(wild)/train.h5,$(m),$(s))))\
  $(foreach m,$(call trained,$(METHODS_3)),\
    $(eval $(call CLASSIFIER,$(wild)/seed$(s),$(wild)/train.h5,$(m),$(wild_test),$(wild)/val.h5,1,$(s)))))

results_3 := $(foreach m,$(filter-out full,$(METHODS_3)),$(foreach s,$(SEEDS),$(wild)/seed$(s)/$(m).json))

$(OUT)/table3.txt: $(results_3) $(RIVALS)
	$(BIN)/sertools report $^ --layout table3 --paper > $@.part
	echo >> $@.part
	$(BIN)/sertools report $^ >> $@.part
	mv $@.part $@

# ---- Figures 2 and 3: a GAN of each architecture on all rows of Table 2's classes; in 3 a diffusion model too ------
figures := $(OUT)/figures

# $(1) architecture
define FIGURE
$(figures)/$(1)/ae.safetensors: FIG_AE = --arch $(1) $(if $(FIG_AE_$(PRESET)),$(FIG_AE_$(PRESET)) --lr $(FIG_LR_$(1)))

$(figures)/$(1)/gan.safetensors: FIG_GAN = $(FIG_GAN_$(PRESET))

$(call GENERATOR,$(figures)/$(1),$(OUT)/specs.h5,$(firstword $(SEEDS)))

$(figures)/$(1)/samples.h5: $(figures)/$(1)/gan.safetensors
	$$(SERTOOLS) generate $$< --per-class 16 --seed $(firstword $(SEEDS)) --device $$(DEVICE) -o $$@
endef
$(foreach a,bagan paper,$(eval $(call FIGURE,$(a))))

$(OUT)/fig2.png: $(figures)/bagan/samples.h5 $(figures)/paper/samples.h5
	$(BIN)/sertools plot $^ -o $@ --name 'original BAGAN' --name 'proposed GAN'

$(figures)/paper/diffusion.safetensors: FIG_GEN = $(FIG_GEN_$(PRESET))
$(figures)/paper/diffused.h5: $(figures)/paper/diffusion.safetensors
	$(SERTOOLS) generate $< --per-class 16 --seed $(firstword $(SEEDS)) --device $(DEVICE) -o $@

$(figures)/paper/moved.h5: $(figures)/paper/diffusion.safetensors $(OUT)/specs.h5
	$(SERTOOLS) generate $< --per-class 16 --translate $(OUT)/specs.h5 --seed $(firstword $(SEEDS)) --device $(DEVICE) -o $@

$(OUT)/fig3.png: $(OUT)/specs.h5 $(addprefix $(figures)/paper/,samples.h5 diffused.h5 moved.h5)
	$(BIN)/sertools plot $^ -o $@ --name real --name 'proposed GAN' --name diffusion --name 'moved by diffusion'

# ---- The paper's ablation: the proposal, each change of §2.4 taken back, the original -------------------------------
# On fold 1 with nothing removed; scored on its test speakers. Without normalisation nothing is learned at higher rates.
ABLATION    := paper upsample relu unnormalised mixed bagan
NO_NORM_cpu := --lr 3e-4
AE_paper        := --arch paper
AE_upsample     := --arch paper --up upsample
AE_relu         := --arch paper --activation relu
AE_unnormalised := --arch paper --no-norm --dropout 0 $(NO_NORM_$(PRESET))
AE_mixed        := --arch paper
AE_bagan        := --arch bagan $(NO_NORM_$(PRESET))
GAN_mixed       := --batches mixed

# $(1) folder, $(2) variant, $(3) seed.
define SCORED
$(1)/samples.h5: $(1)/gan.safetensors
	$$(SERTOOLS) generate $$< --per-class 60 --seed $(3) --device $$(DEVICE) -o $$@

$(1)/score.json: $(call full,1) $(1)/samples.h5 $(OUT)/1/test.h5
	$$(SERTOOLS) score $(call full,1) $(1)/samples.h5 --heldout $(OUT)/1/test.h5 --seed $(3) --device $$(DEVICE) \
	    --tag method=$(2) --tag seed=$(3) > $$@.part
	mv $$@.part $$@
endef

define ABLATED
$(1)/ae.safetensors: FIG_AE = $(AE_$(2))
$(1)/gan.safetensors: FIG_GAN = $(GAN_$(2))

$(call GENERATOR,$(1),$(call full,1),$(3))

$(call SCORED,$(1),$(2),$(3))
endef
ablated = $(OUT)/ablation/$(1)/seed$(2)
$(foreach a,$(ABLATION),$(foreach s,$(SEEDS),$(eval $(call ABLATED,$(call ablated,$(a),$(s)),$(a),$(s)))))

$(OUT)/ablation.txt: $(foreach a,$(ABLATION),$(foreach s,$(SEEDS),$(call ablated,$(a),$(s))/score.json))
	$(BIN)/sertools report $^ > $@.part
	mv $@.part $@

# ---- The improved recipe, and what was tried for it ------------------------------------------------------------------
# `all` is everything that was tried at once; of it one thing is left out at a time; `improved` is the preset, which has
# what is left of it. On the same fold, scored in the same way.
IMPROVED   := $(if $(filter paper,$(PROFILE)),improved,improved-cpu)
LEAVE_OUTS := all class-loss cov real-sampling cond-ramp d-norm sn r1 diffaug rates ema improved
ALL_TRIED  := --real-sampling balanced --cond-ramp 0.3 --diffaug shift,mask,gain
LEAVE_real-sampling := --real-sampling shuffled
LEAVE_cond-ramp     := --cond-ramp 0
LEAVE_d-norm        := --d-norm bn
LEAVE_sn            := --no-sn
LEAVE_r1            := --r1 0
LEAVE_diffaug       := --diffaug none
LEAVE_rates         := $(if $(filter paper,$(PROFILE)),--lr-g 1e-6 --lr-d 1e-6,--lr-g 1e-4 --lr-d 1e-4) --betas 0.5,0.999
LEAVE_ema           := --ema 0

left_out = $(OUT)/leave-one-out/$(1)/seed$(2)
# $(1) folder, $(2) what is left out, $(3) seed.
define LEFT_OUT
$(1)/gan.safetensors: $(call left_out,$(if $(filter class-loss improved,$(2)),class-loss,all),$(3))/ae.safetensors \
    $(call left_out,$(if $(filter class-loss improved,$(2)),class-loss,$(or $(filter cov,$(2)),all)),$(3))/latents.h5 \
    $(call full,1)
	@mkdir -p $$(@D)
	$$(SERTOOLS) finetune-gan $$^ -o $$@ --preset $(IMPROVED) --seed $(3) --device $$(DEVICE) \
	    $(if $(filter improved,$(2)),,$(ALL_TRIED) $(LEAVE_$(2))) $$(GAN_OPTS)

$(call SCORED,$(1),$(if $(filter all improved,$(2)),,no-)$(2),$(3))
endef

# What they start from: $(1) folder, $(2) options of pretrain-ae, $(3) seed.
define IMPROVED_START
$(1)/ae.safetensors: $(call full,1)
	@mkdir -p $$(@D)
	$$(SERTOOLS) pretrain-ae $$< -o $$@ --preset $(IMPROVED) --seed $(3) --device $$(DEVICE) $(2) $$(AE_OPTS)

$(1)/latents.h5: $(1)/ae.safetensors $(call full,1)
	$$(SERTOOLS) fit-latents $$^ -o $$@ --cov pooled --device $$(DEVICE)
endef

$(foreach s,$(SEEDS),\
  $(eval $(call IMPROVED_START,$(call left_out,all,$(s)),--class-loss 0.1,$(s)))\
  $(eval $(call IMPROVED_START,$(call left_out,class-loss,$(s)),,$(s)))\
  $(eval $(call left_out,cov,$(s))/latents.h5: $(call left_out,all,$(s))/ae.safetensors $(call full,1))\
  $(foreach v,$(LEAVE_OUTS),$(eval $(call LEFT_OUT,$(call left_out,$(v),$(s)),$(v),$(s)))))

$(OUT)/leave-one-out/cov/%/latents.h5:
	@mkdir -p $(@D)
	$(SERTOOLS) fit-latents $^ -o $@ --cov empirical --device $(DEVICE)

$(OUT)/leave-one-out.txt: $(foreach v,$(LEAVE_OUTS),$(foreach s,$(SEEDS),$(call left_out,$(v),$(s))/score.json))
	$(BIN)/sertools report $^ > $@.part
	mv $@.part $@

# ---- Goals ----------------------------------------------------------------------------------------------------------
# Thin nets gain more from cells side by side than from threads; and one thread gives the same bytes on any machine.
ifeq ($(filter paper,$(PROFILE)),)
thread = OMP_NUM_THREADS=1
beside = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
endif

table2 table3 ablation leave-one-out: $(READY)
	$(thread) $(MAKE) $(beside) $(OUT)/$@.txt
	@cat $(OUT)/$@.txt

ifeq ($(PROFILE),smoke)
# What has hardly been trained makes no picture: cpu's it is.
fig2 fig3: figures ; @:
figures:
	@$(MAKE) --no-print-directory $(filter fig2 fig3,$(MAKECMDGOALS)) PROFILE=cpu
else
fig2 fig3: $(READY)
	$(thread) $(MAKE) $(beside) $(OUT)/$@.png
	@echo 'picture: $(OUT)/$@.png'
endif

# Real beside generated of the first cell, and what the GAN's classifiers confuse.
first := $(call cell,1,$(firstword $(CLASSES)),$(firstword $(SEEDS)))
pictures: $(OUT)/real-and-generated.png $(OUT)/confusion.png

$(OUT)/real-and-generated.png: $(first)/train.h5 $(first)/samples.h5
	$(BIN)/sertools plot $^ -o $@ --title 'Real and generated speech'

$(first)/samples.h5: $(first)/gan.safetensors
	$(SERTOOLS) generate $< --per-class 16 -o $@ --device $(DEVICE)

$(OUT)/confusion.png: $(filter %/gan.json,$(results_2))
	$(BIN)/sertools plot $^ -o $@ --title 'Trained with GAN rows'

demo: $(READY)
	$(thread) $(MAKE) $(beside) $(OUT)/table2.txt pictures
	@echo
	@cat $(OUT)/table2.txt
	@echo
	@echo 'pictures: $(OUT)/real-and-generated.png $(OUT)/confusion.png'

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
