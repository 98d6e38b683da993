"""The experiment as data: methods and what may be joined, settings, and the rules that follow from them."""

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sertools.balance.strategies import STRATEGIES
from sertools.errors import SertoolsError, UsageError
from sertools.experiment.__main__ import main
from sertools.experiment.fragment import fragment, write
from sertools.experiment.methods import (
    KNOWN,
    METHODS,
    REMOVED,
    TABLE_2,
    TABLE_2_SMOKE,
    TABLE_2_VECTORS,
    TABLE_3,
    TABLE_3_VECTORS,
    joined,
)
from sertools.experiment.rules import Rule, Section, needed
from sertools.experiment.seeds import PURPOSES, derived_seed
from sertools.experiment.settings import PROFILES, SETTINGS, resolve
from sertools.experiment.speakers import folds_of_speakers
from sertools.experiment.steps import shell_lines
from sertools.store.reader import open_store

ROOT = Path(__file__).parent.parent
FUNCTION = re.compile(r"\$\((\w+) ")


def rules(text: str) -> list[list[str]]:
    """The lines of every explicit rule."""
    joined_lines = text.replace("\\\n", " ")
    blocks = [block.splitlines() for block in joined_lines.split("\n\n")]
    return [block for block in blocks if re.match(r"[^\s#][^=]*:(?!=)", block[0])]


def test_names_are_used_once_and_every_strategy_is_a_method():
    assert len(KNOWN) == len(METHODS)
    assert len({name.casefold() for name in KNOWN}) == len(METHODS)
    assert {method.strategy for method in METHODS} - {""} == set(STRATEGIES)
    assert {*TABLE_2, *TABLE_2_SMOKE, *TABLE_3} <= set(KNOWN)
    assert not set(REMOVED) & set(KNOWN)
    assert {method.setting for method in METHODS} - {""} <= set(SETTINGS)


def test_parts_add_their_options_in_order():
    method = joined("potcut+natural+logit-adjust")
    assert method.options == "--synthetic-share 0.5 --loss logit-adjust"
    assert [part.name for part in method.generated] == ["potcut"]
    assert method.shared
    assert not method.needs_reduction
    assert joined("pot-oracle+half").needs_reduction


def test_posthoc_evaluates_the_classifier_of_the_other_parts_once_more():
    methods = "posthoc imbalanced CP+posthoc posthoc+weighted"
    assert [joined(name).trained for name in methods.split()] == ["imbalanced", "imbalanced", "CP", "weighted"]
    text = fragment({"METHODS": methods, "FOLDS": "1", "CLASSES": "angry", "VAL": "4"})
    cell = "$(OUT)/1/angry/seed0"
    targets = [line[0].partition(":")[0] for line in rules(text)]
    assert len(targets) == len(set(targets))
    trained = {target for target in targets if target.startswith(cell) and "clf" in target}
    assert trained == {f"{cell}/{name}.clf.safetensors" for name in ("imbalanced", "CP", "weighted")}
    for name, classifier in (("posthoc", "imbalanced"), ("CP+posthoc", "CP"), ("posthoc+weighted", "weighted")):
        (rule,) = (line for line in rules(text) if line[0].startswith(f"{cell}/{name}.json:"))
        assert rule[0].split()[1] == f"{cell}/{classifier}.clf.safetensors"
        assert f"--adjust priors --tag method={name} " in rule[-1]
    (plain,) = (line for line in rules(text) if line[0].startswith(f"{cell}/imbalanced.json:"))
    assert "--adjust" not in plain[-1]
    assert "posthoc" in TABLE_2
    assert "posthoc" in TABLE_3


def test_a_grid_is_tried_on_validation_rows_and_never_on_the_test():
    given = {"METHODS": "RA-chosen RA-chosen+weighted", "FOLDS": "1", "CLASSES": "angry", "VAL": "4"}
    found = {line[0].partition(":")[0]: line for line in rules(fragment(given))}
    cell, grid = "$(OUT)/1/angry/seed0", KNOWN["RA-chosen"].grid
    assert len(set(grid)) == len(grid) == 6
    for name in ("RA-chosen", "RA-chosen+weighted"):
        said = [f"{cell}/{name}.{number}.val.json" for number in range(1, 7)]
        chosen = found[f"{cell}/{name}.clf.safetensors"]
        assert chosen[0].split()[1:] == [*said, "$(OUT)/1/val.h5"]
        assert "sertools.training.chosen" in chosen[-1]
        assert chosen[-1].endswith("` $(OUT)/1/val.h5 -o $@")
        for number, options in enumerate(grid, start=1):
            store, classifier = f"{cell}/RA-chosen.{number}.h5", f"{cell}/{name}.{number}.clf.safetensors"
            assert f"--strategy RA {options} --seed" in found[store][-1]
            assert found[classifier][0].split()[1:] == [store]
            assert ("--loss weighted" in found[classifier][-1]) == (name != "RA-chosen")
            assert found[said[number - 1]][0].split()[1:] == [classifier, "$(OUT)/1/val.h5"]
        assert not any("test.h5" in word for target in said for word in found[target])
    with pytest.raises(UsageError, match="METHODS: RA-chosen: is chosen on validation rows; set them apart by VAL=4"):
        fragment({**given, "VAL": ""})
    # Where weights are kept by validation, these rows are no test, and say so.
    kept = rules(fragment({**given, "PROFILE": "paper"}))
    assert {"--allow-seen" in line[-1] for line in kept if ".val.json:" in line[0]} == {True}
    assert not any("--allow-seen" in line[-1] for line in found.values())


def test_table_3_alone_asks_for_no_validation_rows_of_table_2():
    given = {"ENCODER": "e", "CORPUS": "wavs", "METHODS": "RA-chosen", "OUT": "out"}
    for goal in ("table3", "out/table3.txt"):
        assert "$(OUT)/wild/seed0/RA-chosen.json:" in fragment(given, [goal])
    with pytest.raises(UsageError, match="set them apart by VAL=4"):
        fragment(given, ["table3", "table2"])


def test_the_answer_stands_once_in_a_table(tmp_path):
    """Of two reports the second says what the first did not."""
    text = fragment({"CORPUS": "wavs", "OUT": str(tmp_path), "FOLDS": "1"}, ["table2"])
    recipe = next(lines for lines in rules(text) if lines[0].startswith("$(OUT)/table2.txt:"))
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "sertools"
    tool.write_text(
        '#!/bin/sh\ncase "$*" in *layout*) echo "  paper";; *) echo "  scores";; esac\n'
        'printf "\\nthe answer\\n  of it\\n\\n- a note\\n"\n'
    )
    tool.chmod(0o755)
    lines = "".join(f"\t{line}\n" for line in recipe[1:])
    (tmp_path / "one.mk").write_text(f"BIN := {tool.parent}\n{tmp_path}/table2.txt:\n{lines}")
    subprocess.run(["make", "-f", tmp_path / "one.mk"], check=True, capture_output=True)
    assert (tmp_path / "table2.txt").read_text() == "  paper\n\nthe answer\n  of it\n\n- a note\n\n  scores\n\n"
    assert not [*tmp_path.glob("table2.txt.*")]


@pytest.mark.parametrize("out", ["", "a b", "a:b", "100%", "it's", "a$b", "~/out", "a=b"])
def test_a_folder_that_make_would_misread_is_refused(out):
    with pytest.raises(UsageError, match=r"^OUT .*: make takes no such name; use letters"):
        resolve({"OUT": out})


def test_the_best_on_validation_is_named(tmp_path, capsys):
    for number, uar in enumerate((0.5, 0.75, 0.75), start=1):
        (tmp_path / f"m.{number}.val.json").write_text(json.dumps({"metrics": {"uar": uar}}))
    paths = [str(tmp_path / f"m.{number}.val.json") for number in (1, 2, 3)]
    assert main(["--best", *paths]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/m.2.clf.safetensors\n"
    (tmp_path / "m.1.val.json").write_text("{}")
    assert main(["--best", *paths]) == 1
    assert "m.1.val.json: expected what `sertools evaluate -o` writes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gann", "no method is called 'gann'; did you mean 'gan'?"),
        ("pot+", "no method is called ''; known are full imbalanced"),
        ("full+mixup", "'full' is joined to nothing"),
        ("CP+SA", "one strategy makes the store, not 2"),
        *((name, f"{name!r} was removed, for it won nothing; see docs/pictures.md") for name in REMOVED),
    ],
)
def test_what_cannot_be_asked_for_is_refused(name, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        joined(name)


def test_findings_of_removed_methods_stand_where_the_message_says():
    text = (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8")
    assert [name for name in REMOVED if name not in text] == []


def test_what_is_not_given_comes_from_the_profile():
    values = resolve({"PROFILE": "cpu", "VAL": "", "HOME": "/root"})
    assert set(values) == set(SETTINGS)
    assert (values["VAL"], values["FOLDS"], values["OUT"], values["PRESET"]) == ("", "3", "build/demo-cpu", "cpu")
    assert resolve({"CORPUS": "/c", "READER": "iemocap"})["OUT"] == "build/iemocap-smoke"
    assert resolve({"METHODS": "\n full\ngan "})["METHODS"] == "full gan"


def test_noise_beside_the_corpus_is_found(tmp_path):
    (tmp_path / "noise").mkdir()
    assert resolve({"CORPUS": f"{tmp_path}/speech/"})["NOISE"] == f"{tmp_path}/noise"
    assert resolve({"CORPUS": f"{tmp_path}/speech/", "NOISE": ""})["NOISE"] == ""


@pytest.mark.parametrize("given", ["FOLDS=two", "FOLDS=0", "VAL=-1", "SEEDS=", "SEEDS=0 one", "PROFILE=big"])
def test_a_wrong_setting_is_named(given):
    name, value = given.split("=")
    with pytest.raises(UsageError, match=f"^{name}"):
        resolve({name: value})


@pytest.mark.parametrize("profile", PROFILES)
def test_the_rules_are_plain(profile):
    text = fragment({"PROFILE": profile, "FOLDS": "2"})
    found = rules(text)
    # Where goals are typed, make's own words are needed.
    cells, goals = text.split("# ---- What is typed ----")
    assert FUNCTION.findall(cells) == []
    assert not {"eval", "call", "foreach"} & {*FUNCTION.findall(goals)}
    targets = [lines[0].split(":")[0] for lines in found]
    assert len(targets) == len(set(targets)) > 100
    made = [lines for lines in found if "$(SERTOOLS)" in "".join(lines)]
    assert all(sum(not line.startswith(("\t@", "\tmv ")) for line in lines[1:]) == 1 for lines in made)
    # Every file that a rule needs is made by another, but for the demo's own speech.
    needs = {word for lines in found for word in lines[0].split(":", 1)[1].split() if word.startswith("$(OUT)/")}
    assert needs <= set(targets)


def test_rules_for_two_folds_can_be_read():
    text = fragment({"FOLDS": "2", "METHODS": "full imbalanced gan"})
    table = text.split("# ---- Table 2 ----")[0]
    assert table.count("\n") < 150
    assert max(map(len, table.splitlines())) < 180
    assert (
        "# ---- Fold 2, angry reduced, seed 0 ----\n\n"
        "$(OUT)/2/angry/seed0/train.h5: $(OUT)/2/rest.h5\n"
        "\t@mkdir -p $(@D)\n"
        "\t$(SERTOOLS) select $< --keep angry=0.05 --seed 3305975234 -o $@\n"
    ) in table


def seeds_of(text: str) -> dict[str, str]:
    """File → the seed of the command that makes it."""
    made = re.findall(r"^(\S+):.*\n(?:\t@mkdir.*\n)?\t\$\(SERTOOLS\) .*--seed (\d+)", text, re.MULTILINE)
    return {path.removeprefix("$(OUT)/"): seed for path, seed in made}


def test_a_seed_is_a_hash_of_base_fold_class_and_purpose():
    # `printf '0 2 angry keep' | b2sum -l 32`
    assert derived_seed("0", "2", "angry", "keep") == str(0xC50D2DC2)
    words = list(itertools.product(("0", "1", "12"), ("", "1", "2", "12"), ("", "sad", "angry"), PURPOSES))
    assert len({derived_seed(*each) for each in words}) == len(words)
    assert all(0 <= int(derived_seed(*each)) < 2**32 for each in words)


def test_cells_share_no_seed_and_methods_of_a_cell_share_all():
    settings = {"PROFILE": "cpu", "SEEDS": "0 1", "METHODS": "full imbalanced CP smote gan cvae gan+CP"}
    found = seeds_of(fragment(settings))
    cells: dict[str, dict[str, set[str]]] = {}
    for path, seed in found.items():
        folder, _, name = path.rpartition("/")
        if not folder[:1].isdigit():
            continue  # of another table
        purpose = {"train.h5": "keep", "CP.h5": "augmentation"}.get(
            name, "classifier" if ".clf." in name else "generator"
        )
        cells.setdefault(folder, {}).setdefault(purpose, set()).add(seed)
    reduced = [folder for folder in cells if folder.count("/") == 2]
    assert len(reduced) == 3 * 3 * 2
    for folder in reduced:
        assert {purpose: len(seeds) for purpose, seeds in cells[folder].items()} == dict.fromkeys(PURPOSES, 1)
    all_seeds = [seed for purposes in cells.values() for seeds in purposes.values() for seed in seeds]
    assert len(all_seeds) == len(set(all_seeds))
    # A smaller share is kept by the same ranks, so it is part of a larger one.
    for keep in ("0.05", "0.1"):
        assert seeds_of(fragment({**settings, "KEEP": keep})) == found
    # The place in the table is that of the base seed.
    assert "--tag fold=2 --tag reduced=sad --tag seed=1\n" in fragment(settings)


def test_an_encoder_takes_the_place_of_the_pictures():
    rules = fragment({"ENCODER": "whisper/", "CORPUS": "c", "READER": "ravdess", "PROFILE": "cpu"})
    assert "embed $< -o $@ --encoder whisper/ --device auto --trim 35" in rules
    assert "extract" not in rules
    assert "build/ravdess-cpu-encoder" in rules
    for word in ("pretrain-ae", "finetune-gan", "--spec-augment"):
        assert word not in rules, word
    assert set(re.findall(r"--tag method=(\S+)", rules)) == {*TABLE_2_VECTORS, *TABLE_3_VECTORS}


def test_an_encoder_has_a_short_name_unless_a_folder_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve({"ENCODER": "whisper-base"})["ENCODER"] == "hf:openai/whisper-base@main"
    (tmp_path / "whisper-base").mkdir()
    assert resolve({"ENCODER": "whisper-base"})["ENCODER"] == "whisper-base"


def test_the_demo_runs_the_same_methods_on_pictures_and_on_vectors():
    pictures, vectors = fragment({}, ["demo"]), fragment({"ENCODER": "whisper/"}, ["demo"])
    for rules in (pictures, vectors):
        methods = re.findall(r"--tag method=(\S+) --tag fold=1 --tag reduced=angry --tag seed=0", rules)
        assert methods == [name for name in TABLE_2_SMOKE if name != "full"]
        assert "--keep angry=0.05" in rules
    assert set(re.findall(r"--tag seed=(\d+)", pictures)) == {"0"}
    assert set(re.findall(r"--tag seed=(\d+)", vectors)) == {"0", "1", "2"}
    # Where the rows are an encoder's already, nobody is told how to get one.
    assert "make demo ENCODER=whisper-base" in pictures
    assert "make demo CORPUS=c READER=ravdess ENCODER=whisper-base" in fragment({"CORPUS": "c", "READER": "ravdess"})
    assert "whisper-base" not in vectors
    # Its map holds the rows that its methods make.
    assert "full.h5" not in vectors
    made = " ".join(f"$(OUT)/1/angry/seed0/{name}-alone.h5" for name in ("pot", "gauss", "gan"))
    needs = f"$(OUT)/1/rest.h5 {made}"
    assert f"$(OUT)/real-and-generated.png: {needs}\n" in vectors


def test_autoencoders_of_the_demo_are_trained_for_its_pictures():
    def trained(rules: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for path, options in re.findall(r"(\S+)/ae\.safetensors:.*\n(?:\t@.*\n)?\t.* pretrain-ae (.*)", rules):
            found.setdefault(path.split("/")[1], set()).add("1800" in options)
        return found

    given = {"METHODS": "gan"}
    folds = {name: {True} for name in "123"}
    assert trained(fragment(given)) == {**folds, "wild": {False}, "ablation": {False}, "figures": {False}}
    assert {True} not in trained(fragment({**given, "ENCODER": "whisper/"})).values()
    assert trained(fragment({**given, "PROFILE": "cpu"}))["1"] == {False}


def test_where_donors_are_named_a_table_of_vectors_asks_them():
    asked = {*TABLE_2_VECTORS, *TABLE_3_VECTORS}
    for donors, more in (("emo.h5", {"pot", "informed"}), ("", set())):
        rules = fragment({"ENCODER": "whisper/", "DONORS": donors, "PROFILE": "cpu"})
        assert set(re.findall(r"--tag method=(\S+)", rules)) == asked | more


def test_vectors_are_drawn_and_moved_where_they_lie():
    rules = fragment({"ENCODER": "whisper/", "METHODS": "gauss smote+posthoc pot+half potw pot-oracle"})
    for line in (
        "pretrain-ae $< -o $@ --latent identity",
        "fit-latents $^ -o $@ --cov tied --device auto",
        "--translate $(OUT)/1/angry/seed0/train.h5 --within-speaker",
    ):
        assert line in rules, line
    for word in ("pca", "{", "latents.h5"):
        assert word not in rules, word
    generators = re.findall(r"^\S+\.h5: \S+/(\S+\.safetensors) .*\n\t\$\(SERTOOLS\) generate", rules, re.M)
    assert len(generators) > 4
    assert set(generators) == {"gauss.safetensors"}
    assert "$(OUT)/1/angry/seed0/pot-oracle-alone.h5: $(OUT)/1/seed0/gauss.safetensors" in rules
    cell = "$(OUT)/1/angry/seed0"  # of the reduced class alone
    assert f"{cell}/smote.clf.safetensors: {cell}/train.h5 {cell}/smote-alone.h5\n" in rules
    assert "--cov tied --device auto --cov pooled" in fragment(
        {"ENCODER": "whisper/", "METHODS": "pot", "COV_OPTS": "--cov pooled"}
    )


def test_strategies_that_alter_audio_are_told_the_encoder():
    rules = fragment({"ENCODER": "whisper/", "METHODS": "CP RS0.6 SAR+weighted"})
    assert re.findall(r"augment \$< --strategy (\S+) (.*)--seed", rules)[:3] == [
        ("CP", ""),
        ("SAR", "--encoder whisper/ --device auto "),
        ("RS0.6", ""),
    ]
    assert "--encoder" not in fragment({"METHODS": "SAR"})


@pytest.mark.parametrize("name", ["CORPUS", "ENCODER", "FOLDS", "NOISE"])
def test_a_path_with_spaces_is_one_word_of_its_lines(name, tmp_path):
    path = tmp_path / "my own"
    path.write_text("speaker,fold\na,1\nb,2\n")
    given = {"CORPUS": "c", "ENCODER": "e", "NOISE": "n", "METHODS": "SA", "EMOTIONS": "", "OUT": "out"}
    lines = [line for rule in rules(fragment(given | {name: str(path)})) for line in rule if "my own" in line]
    assert lines
    assert all(str(path) in shlex.split(line) for line in lines)


@pytest.mark.parametrize(
    ("encoder", "autoencoder", "cov"), [("whisper/", "ae-identity", "tied"), ("", "ae-pca", "pooled")]
)
def test_donors_are_read_by_what_they_inform(encoder, autoencoder, cov):
    settings = {"ENCODER": encoder, "METHODS": "informed+half", "DONORS": "emo.h5 o/nemo.h5"}
    rules, cell = fragment(settings), "$(OUT)/1/angry/seed0"
    needs = f"{cell}/{autoencoder}.safetensors {cell}/train.h5 emo.h5 o/nemo.h5"
    line = f"fit-latents $< {cell}/train.h5 --donor emo.h5 --donor o/nemo.h5 -o $@ --cov {cov} --device auto"
    assert f"{cell}/latents-informed.h5: {needs}\n\t$(SERTOOLS) {line}\n" in rules
    assert f"{cell}/informed-alone.h5: {cell}/gan0-informed.safetensors {cell}/train.h5" in rules
    assert "--donor" not in fragment({**settings, "METHODS": "pot"})


BORROWING = {"ENCODER": "whisper/", "DONORS": "emo.h5 o/nemo.h5"}


@pytest.mark.parametrize(
    ("name", "options", "stores"),
    [
        ("borrowed-raw", "--map none", ("train", "borrowed-raw")),
        ("borrowed", "--map mean", ("train", "borrowed")),
        ("joint", "--map standardise --all", ("train", "joint")),
        ("zeroshot", "--map mean --all", ("zeroshot",)),
    ],
)
def test_rows_of_donors_stand_beside_ours_or_alone_and_classes_weigh_the_same(name, options, stores):
    rules, cell = fragment({**BORROWING, "METHODS": name}), "$(OUT)/1/angry/seed0"
    line = f"$(SERTOOLS) borrow $^ -o $@ --class angry {options}"
    assert f"{cell}/{name}.h5: {cell}/train.h5 emo.h5 o/nemo.h5\n\t{line}\n" in rules
    needs = " ".join(f"{cell}/{store}.h5" for store in stores)
    (found,) = re.findall(f"{re.escape(f'{cell}/{name}.clf.safetensors: {needs}')}\n.*(--loss .*)", rules)
    assert found == "--loss weighted"


def test_borrowed_rows_are_joined_to_moved_ones_whose_shares_stand():
    rules, cell = fragment({**BORROWING, "METHODS": "half+borrowed+informed"}), "$(OUT)/1/angry/seed0"
    needs = " ".join(f"{cell}/{store}.h5" for store in ("train", "borrowed", "informed-alone"))
    assert f"{cell}/half+borrowed+informed.clf.safetensors: {needs}\n" in rules
    assert joined("half+borrowed").options.split()[-4:] == ["--loss", "cross-entropy", "--synthetic-share", "0.5"]
    assert "/joint.h5" not in rules


@pytest.mark.parametrize(("name", "mean"), [("average", ""), ("product", "--mean geometric ")])
def test_the_donors_classifier_answers_together_with_that_of_the_other_parts(name, mean):
    rules, cell = fragment({**BORROWING, "METHODS": f"{name} {name}+pot"}), "$(OUT)/1/angry/seed0"
    beside = f"{cell}/zeroshot.clf.safetensors"
    for own, tag in (("imbalanced", name), ("pot", f"{name}+pot")):
        clf = f"{cell}/{own}.clf.safetensors"
        assert f"{cell}/{tag}.json: {clf} {beside} $(OUT)/1/test.h5\n" in rules
        how = f"--average {beside} {mean}--adjust priors --tag method={tag} "
        assert re.search(f"evaluate \\$< \\$\\(OUT\\)/1/test.h5 .*{re.escape(how)}", rules)
    assert rules.count(f"\n{beside}: {cell}/zeroshot.h5\n") == 1


def test_what_does_not_go_with_rows_of_donors_is_refused():
    with pytest.raises(UsageError, match="average: needs stores of other corpora; name them by DONORS="):
        fragment({"ENCODER": "whisper/", "METHODS": "average"})
    for name in ("borrowed", "zeroshot", "product+pot"):
        with pytest.raises(UsageError, match=f"{re.escape(name)}: rows of donors are an encoder's; name one by"):
            fragment({"DONORS": "emo.h5", "METHODS": name})
    with pytest.raises(UsageError, match=r"average\+product: posteriors have one mean, not 2"):
        joined("average+product")
    with pytest.raises(UsageError, match=r"expected one method that needs train\.h5 alone"):
        shell_lines({**BORROWING, "METHODS": "borrowed", "CLASSES": "angry"})


def test_rows_of_donors_are_of_table_2_alone():
    rules = fragment({**BORROWING, "METHODS": "imbalanced borrowed average"})
    table3 = rules.partition("# ---- The corpus as it is")[2]
    assert "train-clf" in table3
    assert "borrow" not in table3


def test_a_method_that_needs_donors_is_refused_without():
    with pytest.raises(
        UsageError, match=r"METHODS: informed\+half: needs stores of other corpora; name them by DONORS="
    ):
        fragment({"METHODS": "imbalanced informed+half"})


def test_generators_of_vectors_are_trained_by_the_same_lines():
    methods = "gan cvae+half diffusion switch flow flow-oracle"
    rules = fragment({"ENCODER": "whisper/", "METHODS": methods, "PROFILE": "cpu"})
    pictures = fragment({"METHODS": methods, "PROFILE": "cpu", "VAL": ""})
    trained = r"\t\$\(SERTOOLS\) ((?:pretrain-ae|fit-latents|finetune-gan|train-generator) .*)"
    found = set(re.findall(trained, rules))
    assert found <= set(re.findall(trained, pictures))
    assert {line.split()[0] for line in found} == {"pretrain-ae", "fit-latents", "finetune-gan", "train-generator"}
    assert set(re.findall(r"--tag method=(\S+)", rules)) == set(methods.split())


@pytest.mark.parametrize("name", ["specaug", "mixup+posthoc", "weighted+cutpaste", "potcut"])
def test_methods_of_pictures_are_refused_where_rows_are_vectors(name):
    with pytest.raises(UsageError, match=f"{re.escape(name)}: needs pictures, and the rows of ENCODER are vectors"):
        fragment({"ENCODER": "whisper/", "METHODS": f"imbalanced {name}"})


@pytest.mark.parametrize("goal", ["fig2", "ablation"])
def test_goals_of_pictures_are_refused_where_rows_are_vectors(goal):
    with pytest.raises(UsageError, match=f"ENCODER: its rows are vectors, and {goal} is of pictures"):
        fragment({"ENCODER": "whisper/"}, [goal])


def test_a_file_that_no_table_needs_has_a_rule_if_it_is_asked_for():
    path = "build/demo-smoke/1/angry/seed0/cvae.h5"
    assert "cvae" not in fragment({})
    assert "$(OUT)/1/angry/seed0/cvae.h5: $(OUT)/1/angry/seed0/cvae.safetensors" in fragment({}, [path])


def test_what_only_a_reduced_class_can_ask_stays_out_of_table_3():
    text = fragment({"METHODS": "full pot-oracle pot"})
    assert "$(OUT)/1/angry/seed0/pot-oracle.h5: $(OUT)/1/seed0/gan0-pca.safetensors" in text
    assert "wild/seed0/pot.json" in text
    assert not re.search("wild/seed0/(full|pot-oracle)", text)


def test_needed_rules_are_those_that_a_goal_stems_from():
    one, two, three = (Rule(target=t, needs=(n,), lines=()) for t, n in (("b", "a"), ("c", "b"), ("d", "b")))
    sections = [Section("first", (one, three)), Section("second", (two,))]
    assert [[rule.target for rule in section.rules] for section in needed(sections, ["c", "z"])] == [["b"], ["c"]]
    assert [section.title for section in needed(sections, ["d"])] == ["first"]


def test_rules_are_written_once_whoever_comes_first(tmp_path):
    words = [sys.executable, "-m", "sertools.experiment", "--write", f"OUT={tmp_path}"]
    started = [subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    paths = {process.communicate()[0] for process in started}
    assert [process.returncode for process in started] == [0] * 6
    (path,) = tmp_path.iterdir()
    assert paths == {f"{path}\n"}
    os.utime(path, ns=(0, 0))
    assert main(words[3:]) == 0
    assert path.stat().st_mtime_ns == 0  # left alone
    # Other settings lie beside it; what was damaged is written anew.
    assert main([*words[3:], "KEEP=0.1"]) == 0
    assert len([*tmp_path.iterdir()]) == 2
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert main(words[3:]) == 0
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SertoolsError, match=r"rules-\w+\.mk: cannot be written \(.+\); name another folder by OUT="):
        write("", tmp_path / "file")


def test_the_commands_of_a_cell_run_in_their_order():
    lines = [line.split() for line in shell_lines({"METHODS": "CP+potcut+half", "CLASSES": "sad"}).splitlines()]
    made = ["full.h5"]
    for target, verb, *words in lines:
        read = words[: words.index("-o")]
        assert {word for word in read if word.endswith((".h5", ".safetensors"))} <= set(made), verb
        made.append(target)
    assert made[-1] == "CP+potcut+half.clf.safetensors"
    for methods in ("", "gan pot", "full", "pot-oracle"):
        with pytest.raises(UsageError, match="expected one method that needs"):
            shell_lines({"METHODS": methods})


def test_a_cells_commands_have_the_seeds_of_its_fold_and_class():
    given = {"METHODS": "CP+gan", "CLASSES": "sad", "SEEDS": "7", "PROFILE": "paper", "KEEP": "0.1"}
    seeds = {purpose: derived_seed("7", "2", "sad", purpose) for purpose in PURPOSES}
    lines = shell_lines({**given, "FOLD": "2"})
    asked = {line.split()[1]: re.findall(r"--seed (\d+)", line) for line in lines.splitlines()}
    assert asked.pop("fit-latents") == []
    assert asked == {
        "select": [seeds["keep"]],
        "pretrain-ae": [seeds["generator"]],
        "finetune-gan": [seeds["generator"]],
        "generate": [seeds["generator"]],
        "augment": [seeds["augmentation"]],
        "train-clf": [seeds["classifier"]],
    }
    assert "select full.h5 --keep sad=0.1 " in lines
    # As make has them.
    rules = fragment({**given, "FOLDS": "3", "OUT": "out"}, ["table2"])
    assert all(f"--seed {seed}" in rules for seed in seeds.values())


@pytest.mark.parametrize(
    ("folder", "full", "gan"),
    [("1", "full.h5", "angry/seed0/gan.safetensors"), ("wild", "train.h5", "seed0/gan.safetensors")],
)
def test_gans_are_measured_on_the_validation_store_which_is_there_before(folder, full, gan):
    val = rf"\$\(OUT\)/{folder}/val\.h5"
    rules = fragment({"METHODS": "gan", "PROFILE": "cpu"})
    trained = re.search(
        rf"^\$\(OUT\)/{folder}/{gan}: (.*)\n(?:\t.*\n)*?\t.* finetune-gan \$\^ .*", rules, re.MULTILINE
    )
    assert trained[0].endswith(f" --val $(OUT)/{folder}/val.h5")
    assert "val.h5" not in trained[1]  # which are the arguments
    assert re.search(rf"^\$\(OUT\)/{folder}/{full}: .* \| {val}$", rules, re.MULTILINE)
    # The smoke profile has no validation in Table 2.
    assert not re.search(r"finetune-gan .* --val \$\(OUT\)/1/", fragment({"METHODS": "gan"}))


def test_a_seed_is_printed_for_scripts(capsysbinary):
    for words in (("0", "2", "angry", "keep"), ("3", "1", "", "classifier")):
        assert main(["--seed", *words]) == 0
        assert capsysbinary.readouterr().out.decode() == f"{derived_seed(*words)}\n"
    assert main(["--seed", "0", "2", "angry", "keeping"]) == 2
    assert b"PURPOSE 'keeping': expected one of keep, " in capsysbinary.readouterr().err


def test_every_setting_and_method_is_shown(capsysbinary):
    assert main(["--settings", "PROFILE=cpu", "METHODS=gan+half"]) == 0
    text = " ".join(capsysbinary.readouterr().out.decode().split())
    assert [name for name in SETTINGS if f" {name} " not in f" {text} "] == []
    assert [name for name in KNOWN if f" {name} " not in f" {text} "] == []
    assert "Table 2: gan+half Table 3: gan+half mine: gan+half" in text
    assert main(["METHODS=potall"]) == 2
    assert b"docs/pictures.md" in capsysbinary.readouterr().err


ROW = '    Method(name="brand-new", group=GENERATION, model="diffusion", moves="--guidance 3"),\n'
ASK = """
import json, sys
sys.path.insert(0, "tests")
from test_report import make_run
from sertools.experiment.fragment import fragment
from sertools.reporting.reports.layouts import render
from sertools.scoring.comparing.summary import summarise
report = summarise([make_run(name) for name in ("stranger", "mixup", "brand-new", "cp", "imbalanced")])
table = json.loads(render(report, "json", "table3"))["rows"]
print(json.dumps([fragment({"METHODS": "brand-new+half"}), [row.method for row in report.rows], table]))
"""


def test_a_new_method_is_one_row(tmp_path):
    shutil.copytree(ROOT / "sertools", tmp_path / "sertools", ignore=shutil.ignore_patterns("__pycache__"))
    registry = tmp_path / "sertools" / "experiment" / "methods.py"
    before = '    Method(name="gan", '
    text = registry.read_text(encoding="utf-8")
    assert text.count(before) == 1
    registry.write_text(text.replace(before, ROW + before), encoding="utf-8")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    rules_of_it, order, rows = json.loads(done.stdout)
    cell = "$(OUT)/1/angry/seed0"
    assert f"{cell}/brand-new+half.clf.safetensors: {cell}/train.h5 {cell}/brand-new-alone.h5\n" in rules_of_it
    assert (
        "$(SERTOOLS) generate $< --balance $(OUT)/1/angry/seed0/train.h5 --class angry --guidance 3 "
        f"--seed {derived_seed('0', '1', 'angry', 'generator')} --device auto -o $@"
    ) in rules_of_it
    assert order == ["imbalanced", "cp", "brand-new", "mixup", "stranger"]
    assert {row["method"]: row["category"] for row in rows}["brand-new"] == "Generation"


# Folds that are no number of parts


def test_while_the_speakers_are_not_known_make_has_rules_up_to_them(tmp_path):
    given = {"FOLDS": "speakers", "OUT": f"{tmp_path}/out"}
    text = fragment(given)
    targets = [lines[0].split(":")[0] for lines in rules(text)]
    assert targets[-2] == "$(OUT)/speakers.csv"
    assert {"table2", "stores2", "cell", "$(OUT)/table2.txt"} <= set(targets[-1].split())
    assert "$(OUT)/1/test.h5" not in text


def test_each_speaker_has_a_fold_once_they_are_known(tmp_path):
    given = {"FOLDS": "speakers", "OUT": f"{tmp_path}/o#ut", "METHODS": "full"}
    (tmp_path / "o#ut").mkdir()
    (tmp_path / "o#ut" / "speakers.csv").write_text(folds_of_speakers('{"speakers": ["f1", "m, 1", "m2"]}'))
    found = {lines[0].split(":")[0]: lines for lines in rules(fragment(given))}
    assert [target for target in found if target.endswith("/test.h5") and "wild" not in target] == [
        f"$(OUT)/{number}/test.h5" for number in (1, 2, 3)
    ]
    head, *lines = found["$(OUT)/3/rest.h5"]
    assert head == "$(OUT)/3/rest.h5: $(OUT)/specs.h5 $(OUT)/speakers.csv"
    assert lines[-1] == "\t$(SERTOOLS) select $< --folds $(OUT)/speakers.csv --fold 3 -v -o $@"
    # Other speakers are other folds: the table asks for them before it is made.
    assert found["table2 table3 ablation"][0] == "table2 table3 ablation: $(READY) $(OUT)/speakers.csv"


def test_folds_of_speakers_stand_in_the_order_of_their_names_and_need_two():
    assert folds_of_speakers('{"speakers": ["a, b", "c"]}') == 'speaker,fold\n"a, b",1\nc,2\n'
    for info, words in (
        ('{"speakers": ["a"]}', "names 1 speakers, and needs two"),
        ("", "expected what"),
        ("[]", "expected"),
    ):
        with pytest.raises(UsageError, match=words):
            folds_of_speakers(info)


def test_published_folds_make_a_table(tmp_path):
    path = tmp_path / "folds.csv"
    path.write_text("id,fold\na,1\nb,test\n")
    text = fragment({"FOLDS": str(path), "METHODS": "full"})
    assert f"select $< --folds {path} --fold test -v -o $@" in text
    path.write_text("id,fold\na,the first\n")
    with pytest.raises(UsageError, match="fold 'the first' makes no name of a folder"):
        fragment({"FOLDS": str(path)})


def test_make_starts_over_when_the_speakers_are_known(tiny_store, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "labels.csv").touch()
    shutil.copy(tiny_store, out / "all.h5")
    words = ["FOLDS=speakers", f"OUT={out}", "CORPUS=/nowhere", "EMOTIONS=", f"VENV={tmp_path}"]
    (tmp_path / "bin").mkdir()
    (tmp_path / ".ready").touch()
    for name, own in (("python", ""), ("sertools", "-m sertools")):
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {own} "$@"\n')
        script.chmod(0o755)
    done = subprocess.run(
        ["make", "-s", "stores2", *words], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    speakers = sorted(set(open_store(out / "specs.h5").contents.column("speaker").tolist()))
    assert len(speakers) > 1
    for number, speaker in enumerate(speakers, start=1):
        for name, own in (("test", {speaker}), ("rest", {*speakers} - {speaker})):
            assert set(open_store(out / str(number) / f"{name}.h5").contents.column("speaker").tolist()) == own
