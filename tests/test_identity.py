"""Names are names within a corpus, from the labels to the table: nobody is taken for somebody else in silence."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile
from conftest import SR, TINY, Outcome, tone
from test_report import N, grid, make_run
from test_rivals import as_csv, save

from sertools import api
from sertools.corpora.table import Recording, read_labels, write_labels
from sertools.errors import ModelError, SertoolsWarning, StoreError, UsageError
from sertools.reporting.reports.layouts import render
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.result import Result
from sertools.scoring.results.result_file import read_result, write_result
from sertools.scoring.results.rivals import read_results
from sertools.store.lineage import Lineage
from sertools.store.reader import open_store
from sertools.training.batches import open_rows

# The recordings are tones: some are alike, some are silent.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(the same sound as another|silent or constant):sertools.errors.SertoolsWarning"
)

Call = Callable[..., Outcome]
FAST = ("--seconds", "1", "--mels", "32", "--frames", "32")


def of_corpus(run: Result, corpus: str, *, audio: str = "", fold: str = "") -> Result:
    """The same names, said to be of a corpus, with the digests of `audio`, in another fold."""
    return replace(
        run,
        tags={**run.tags, "fold": fold or run.tags["fold"]},
        utterances=tuple(
            replace(u, corpus=corpus, digest=f"{audio}{n:02d}" if audio else "") for n, u in enumerate(run.utterances)
        ),
        source=f"{corpus}{audio}{fold}{run.source}",
    )


def make_corpus(folder: Path, seed: int, *, gender: str = "male") -> Path:
    """Two classes by two speakers, twice each; every corpus has the same names and other sounds."""
    rng = np.random.default_rng(seed)
    rows = []
    for emotion in ("angry", "sad"):
        (folder / emotion).mkdir(parents=True)
        for speaker in ("01", "02"):
            for take in "ab":
                name = f"{emotion}/{speaker}{take}.wav"
                soundfile.write(folder / name, tone(rng, 100 + 40 * seed, 0.8), SR, subtype="PCM_16")
                rows.append([name, emotion, speaker, gender])
    with (folder / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["file", "emotion", "speaker", "gender"], *rows])
    return folder / "labels.csv"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Stores of two corpora of equal names: with their corpora's names (A, B) and without (a, b)."""
    folder = tmp_path_factory.mktemp("pair")
    stores = {}
    for seed, name in enumerate("AB", 1):
        table = make_corpus(folder / name, seed)
        for key, corpus in ((name, name), (name.lower(), None)):
            stores[key] = folder / f"{'named' if corpus else 'nameless'}-{name}.h5"
            api.extract(table, stores[key], corpus=corpus, front_end=TINY)
    return stores


def test_two_corpora_of_equal_names_are_twice_as_many(pair):
    """8 utterances stood for 16, and two people for one."""
    first, second = of_corpus(make_run("GAN"), "A", audio="a"), of_corpus(make_run("GAN"), "B", audio="b", fold="2")
    report = summarise([first, second])
    assert (report.n_utterances, report.n_speakers) == (2 * N, 4)
    assert any("2 names of speakers are in several corpora, '1a' in A and B" in text for text in report.cautions)
    assert "count as different people" in render(report)
    together = summarise([first, second], same_speakers=True)
    assert (together.n_utterances, together.n_speakers) == (2 * N, 2)
    assert "count as one person each" in render(together)


def test_the_jackknife_leaves_out_one_of_four_people():
    runs = [
        of_corpus(make_run(method, skill=skill), corpus, audio=corpus, fold=fold)
        for method, skill in (("imbalanced", 0.4), ("GAN", 0.8))
        for corpus, fold in (("A", "1"), ("B", "2"))
    ]
    apart, together = summarise(runs).rows[1].difference, summarise(runs, same_speakers=True).rows[1].difference
    assert apart is not None
    assert together is not None
    assert (apart.df, together.df) == (3, 1)
    assert apart.estimate == together.estimate


def test_a_picture_counts_people_as_the_report_does(tmp_path):
    """Two speakers are too few for an interval, four are enough: the picture shows which was meant."""
    runs = [
        of_corpus(make_run(method, skill=skill), corpus, audio=corpus, fold=fold)
        for method, skill in (("imbalanced", 0.4), ("GAN", 0.8))
        for corpus, fold in (("A", "1"), ("B", "2"))
    ]
    paths = []
    for number, run in enumerate(runs):
        paths.append(tmp_path / f"{number}.json")
        with paths[-1].open("w", encoding="utf-8") as stream:
            write_result(run, stream)
    widths = []
    for same in (False, True):
        lines = [line for axes in api.plot(paths, kind="comparison", same_speakers=same).axes for line in axes.lines]
        widths.append(max(float(np.ptp(line.get_xdata())) for line in lines if len(line.get_xdata()) > 1))
    assert widths[0] != widths[1]


def test_one_name_of_two_recordings_is_refused_within_a_method():
    first, second = (
        of_corpus(make_run("GAN"), "", audio=audio, fold=fold) for audio, fold in (("a", "1"), ("b", "2"))
    )
    with pytest.raises(ModelError, match=r"its utterance '1-0' is another recording than in .*--corpus NAME"):
        summarise([first, second])


def test_one_name_of_two_recordings_is_told_between_methods():
    """A method may have made its audio of the other's; whoever has not must know."""
    first, second = of_corpus(make_run("GAN"), "", audio="a"), of_corpus(make_run("CP"), "", audio="b")
    text = render(summarise([first, second], "CP"))
    assert f"{N} utterances have other audio in some methods than in others, such as '1-0'" in " ".join(text.split())


def test_names_in_several_folds_are_told_where_no_audio_is_known():
    first, second = make_run("GAN"), of_corpus(make_run("GAN"), "", fold="2")
    assert f"{N} utterances are tested in several folds of a method" in render(summarise([first, second]))
    heard = [of_corpus(make_run("GAN"), "", audio="a", fold=fold) for fold in "12"]
    assert "several folds of a method" not in render(summarise(heard))


def test_one_recording_of_two_names_is_told():
    first, second = of_corpus(make_run("GAN"), "A", audio="a"), of_corpus(make_run("GAN"), "B", audio="a", fold="2")
    text = " ".join(render(summarise([first, second])).split())
    assert f"{N} recordings have several names, such as 'A:1-0' and 'B:1-0'" in text


def test_a_corpus_that_only_some_results_name_is_refused():
    old, new = make_run("GAN"), of_corpus(make_run("GAN", seed="1"), "A", audio="a")
    with pytest.raises(ModelError, match=r"'(A:)?1-0' is of no named corpus, but of 'A' in"):
        summarise([old, new])
    # The audio says that these are two.
    other = of_corpus(make_run("GAN"), "", audio="b", fold="2")
    assert summarise([other, new]).n_utterances == 2 * N


@pytest.mark.parametrize("what", ["emotion", "speaker"])
def test_two_labels_of_one_utterance_are_refused(what):
    run = of_corpus(make_run("GAN"), "", audio="a", fold="2")
    changed = {"emotion": "sad", "speaker": "z"}[what]
    odd = replace(run, utterances=(replace(run.utterances[0], **{what: changed}), *run.utterances[1:]))
    with pytest.raises(ModelError, match=rf"its utterance '1-0' has the {what} '{changed}', but "):
        summarise([make_run("GAN"), odd])


def test_contradictory_genders_are_told():
    run = of_corpus(make_run("GAN"), "", audio="a")
    mixed = replace(
        run, utterances=tuple(replace(u, gender=("male", "female")[n % 2]) for n, u in enumerate(run.utterances))
    )
    assert "2 speakers have more than one gender ('1a', '1b')" in render(summarise([mixed]))


def test_names_that_are_almost_one_are_told():
    runs = grid("GAN", 0.7)
    respelled = replace(
        runs[0],
        tags={**runs[0].tags, "method": "gan", "fold": "4"},
        utterances=tuple(replace(u, id=f"4-{u.id}", speaker=u.speaker.upper()) for u in runs[0].utterances),
    )
    text = " ".join(render(summarise([*runs, respelled])).split())
    assert "Method tags of almost one name count as different: 'GAN' and 'gan'." in text
    assert "Speakers of almost one name count as different: '1A' and '1a'; '1B' and '1b'." in text


def test_two_front_ends_are_a_pair(pair, tmp_path):
    """Neither the row's digest nor the file says which utterance it is."""
    wide = tmp_path / "wide.h5"
    api.extract(pair["a"].parent / "A" / "labels.csv", wide, corpus="A", front_end=replace(TINY, n_mels=16))
    one, other = (open_store(path).contents for path in (pair["A"], wide))
    for column in ("corpus", "id", "digest"):
        assert one.column(column).tolist() == other.column(column).tolist()
    assert not set(one.segments["digest"].tolist()) & set(other.segments["digest"].tolist())


def test_a_store_without_the_name_is_what_it_was(pair, tmp_path):
    with h5py.File(pair["a"]) as nameless, h5py.File(pair["A"]) as named:
        assert "corpus" not in nameless["utterance"]
        assert set(named["utterance/corpus"].asstr()[:]) == {"A"}
    api.select(pair["A"], tmp_path / "s.h5", where="speaker=01")
    api.merge([pair["A"]], tmp_path / "m.h5")
    api.augment(pair["A"], tmp_path / "g.h5", strategy="SARS")
    for name in ("s", "m", "g"):
        assert set(open_store(tmp_path / f"{name}.h5").contents.column("corpus").tolist()) == {"A"}
    with pytest.raises(UsageError, match="no row has corpus 'A'; the column is empty"):
        api.select(pair["a"], tmp_path / "s.h5", where="corpus=A")


def test_merged_corpora_stay_apart(pair, tmp_path):
    with pytest.raises(StoreError, match=r"is another recording than .*--corpus NAME"):
        api.merge([pair["a"], pair["b"]], tmp_path / "m.h5")
    both = tmp_path / "both.h5"
    with pytest.warns(SertoolsWarning, match="2 names of speakers are in several corpora, '01' in A and B"):
        api.merge([pair["A"], pair["B"]], both)
    described = api.info(both)
    assert described["utterances"] == 16
    assert described["corpora"] == ["A", "B"]
    assert described["speakers"] == ["A:01", "A:02", "B:01", "B:02"]
    assert api.select(both, tmp_path / "b.h5", where="corpus=B") == len(open_store(pair["B"]))
    assert open_store(tmp_path / "b.h5").contents.column("path")[0].startswith("B/")
    # Four people for four folds, and utterances of one name in folds of their own.
    parts = [tmp_path / f"{k}.h5" for k in "1234"]
    for k, part in enumerate(parts, 1):
        api.select(both, part, fold=f"{k}/4")
    people = [
        set(zip(*(open_store(p).contents.column(c).tolist() for c in ("corpus", "speaker")), strict=True))
        for p in parts
    ]
    assert sorted(person for part in people for person in part) == [(c, s) for c in "AB" for s in ("01", "02")]
    with pytest.warns(SertoolsWarning, match="holds no"):
        api.select(both, tmp_path / "u.h5", fold="1/16", by="utterance")
    assert len(open_store(tmp_path / "u.h5").contents.utterances) == 1


def test_a_corpus_with_a_name_has_the_folds_that_it_had(pair, tmp_path):
    for by, n in (("speaker", 2), ("utterance", 3)):
        ids = []
        for key in "Aa":
            api.select(pair[key], tmp_path / "f.h5", fold=f"1/{n}", by=by)
            ids.append(open_store(tmp_path / "f.h5").contents.column("id").tolist())
        assert ids[0] == ids[1]


def test_a_recording_of_two_corpora_is_no_second_one(pair, tmp_path):
    with pytest.raises(StoreError, match="a row of utterance 'angry/01a' is also in"):
        api.merge([pair["A"], pair["a"]], tmp_path / "m.h5")
    with pytest.raises(StoreError, match="would count twice"):
        open_rows([pair["A"], pair["a"]])
    copied = tmp_path / "copied"
    shutil.copytree(pair["a"].parent / "A", copied / "deep")
    api.extract(copied, tmp_path / "c.h5", corpus="C", front_end=TINY, labels=None)
    with pytest.warns(
        SertoolsWarning, match=r"8 recordings are in two corpora, 'A:angry/01a' and 'C:deep/angry/01a'"
    ):
        api.merge([pair["A"], tmp_path / "c.h5"], tmp_path / "m.h5")


def test_contradictory_genders_are_told_by_merge(pair, tmp_path):
    table = make_corpus(tmp_path / "D", 3, gender="female")
    table.write_text(table.read_text().replace("a.wav", "A.wav").replace("b.wav", "B.wav"))
    for path in sorted((tmp_path / "D").rglob("*.wav")):
        path.rename(path.with_name(path.stem.upper() + ".wav"))
    api.extract(table, tmp_path / "d.h5", front_end=TINY)
    with pytest.warns(SertoolsWarning, match=r"2 speakers have more than one gender \('01', '02'\)"):
        api.merge([pair["a"], tmp_path / "d.h5"], tmp_path / "m.h5")


def test_generated_rows_given_twice_are_refused(chain, call, tmp_path):
    """They doubled; real ones were refused."""
    copied, part, merged = (tmp_path / name for name in ("copied.h5", "part.h5", "merged.h5"))
    shutil.copy(chain.synth, copied)
    api.select(chain.synth, part, where="emotion=angry")
    api.merge([chain.train, chain.synth], merged)
    for again in (chain.synth, copied, part, merged):
        with pytest.raises(StoreError, match=r"utterance 'generated/.*' is also in .*; leave one out"):
            open_rows([chain.synth, again])
    done = call("train-clf", chain.train, chain.synth, copied, "-o", "clf", "--preset", "smoke")
    assert done.code == 1
    assert "would count twice" in done.err
    # Others of the same generator are no copies; of the same seed, the first ones are.
    api.generate(chain.gan, tmp_path / "other.h5", per_class=5, seed=1, device="cpu")
    assert len(open_rows([chain.synth, tmp_path / "other.h5"])) == len(open_store(chain.synth)) + 20
    api.generate(chain.gan, tmp_path / "more.h5", per_class=8, seed=1, device="cpu")
    with pytest.raises(StoreError, match="would count twice"):
        open_rows([tmp_path / "other.h5", tmp_path / "more.h5"])


def test_altered_rows_given_twice_are_refused(augmented, tmp_path):
    parts = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for part in parts:
        api.select(augmented / "sars.h5", part, where="origin!=real")
    with pytest.raises(StoreError, match="would count twice; leave one out"):
        open_rows(parts)


def test_silence_of_two_corpora_is_no_copy(tmp_path):
    stores = []
    for name in "AB":
        folder = tmp_path / name / "angry"
        folder.mkdir(parents=True)
        soundfile.write(folder / "x.wav", np.zeros(SR, dtype=np.float32), SR)
        stores.append(tmp_path / f"{name}.h5")
        api.extract(folder.parent, stores[-1], corpus=name, front_end=TINY)
    assert len(open_rows(stores)) == 2


def test_a_corpus_column_goes_through_a_labels_table(tmp_path):
    recordings = [Recording("a.wav", "angry", "01", corpus="A"), Recording("b.wav", "sad", start=0.5, end=1.0)]
    text = io.StringIO()
    write_labels(recordings, text)
    assert text.getvalue().splitlines()[0] == "file,emotion,speaker,session,gender,corpus,start,end"
    assert read_labels(text.getvalue().splitlines(), "t") == recordings
    plain = io.StringIO()
    write_labels([replace(r, corpus="") for r in recordings], plain)
    assert "corpus" not in plain.getvalue()


def test_extract_names_the_corpus(pair, call, tmp_path):
    table = pair["a"].parent / "A" / "labels.csv"
    done = call("extract", table, "-o", "s.h5", "--corpus", " A\N{NO-BREAK SPACE}1 ", *FAST)
    assert done.code == 0, done.err
    described = json.loads(call("info", "s.h5").out)
    assert described["corpora"] == ["A 1"]
    assert described["history"][0]["options"]["corpus"] == "A 1"
    assert call("extract", table, "-o", "s.h5", "--corpus", " ", *FAST).code == 2
    # In place of what the labels say.
    recordings = [replace(r, corpus="B") for r in read_labels(table.read_text().splitlines(), "t")]
    named = [replace(r, file=str(table.parent / r.file)) for r in recordings]
    api.extract(named, tmp_path / "b.h5", front_end=TINY)
    api.extract(named, tmp_path / "c.h5", corpus="C", front_end=TINY)
    found = [api.info(tmp_path / f"{name}.h5")["corpora"] for name in "bc"]
    assert found == [["B"], ["C"]]


def results_of(chain, tmp_path: Path, stores: Sequence[Path]) -> Path:
    path = tmp_path / "r.json"
    api.evaluate(chain.clf, list(stores), path, tags={"method": "GAN"}, device="cpu")
    return path


def test_a_result_says_of_which_corpus_and_audio(chain, tmp_path):
    path = results_of(chain, tmp_path, [chain.test])
    tested = open_store(chain.test).contents.utterances
    assert [u.digest for u in read_result(path).utterances] == tested["digest"].tolist()
    assert {u.gender for u in read_result(path).utterances} == {"female"}
    assert '"corpus"' not in path.read_text()
    # A file of before has neither.
    document = json.loads(path.read_text())
    for utterance in document["utterances"]:
        del utterance["digest"], utterance["gender"]
    path.write_text(json.dumps(document))
    assert {(u.corpus, u.digest) for u in read_result(path).utterances} == {("", "")}


def two_corpora(tmp_path: Path) -> Result:
    """One result that was tested on two corpora of equal names."""
    first, second = (of_corpus(make_run("GAN"), name, audio=name) for name in "AB")
    from sertools.metrics import scores

    whole = replace(first, utterances=(*first.utterances, *second.utterances), source="ours.json")
    metrics = scores(*whole.labels(), [u.posterior for u in whole.utterances], whole.classes)
    return replace(whole, metrics={**metrics, "n_ties": 0})


def test_a_rival_says_of_which_corpus_its_ids_are(tmp_path):
    ours = two_corpora(tmp_path)
    own = save(ours, tmp_path)
    assert read_result(own).utterances == ours.utterances
    rival = tmp_path / "rival.csv"
    columns = ("method", "fold", "reduced", "seed", "corpus", "id", "emotion", "predicted", "speaker")
    text = as_csv([replace(ours, tags={**ours.tags, "method": "SVM"})], columns=columns)
    lines = text.splitlines()
    for number, u in enumerate(ours.utterances, 1):
        lines[number] = lines[number].replace("1,angry,0,,", f"1,angry,0,{u.corpus},")
    rival.write_text("\n".join(lines))
    found = read_results([own, rival])[1]
    assert [(u.key, u.digest) for u in found.utterances] == [(u.key, u.digest) for u in ours.utterances]
    assert summarise(read_results([own, rival])).n_utterances == 2 * N
    rival.write_text(text)
    with pytest.raises(ModelError, match=r"'1-0' stands in line 2 too, .* say in a column corpus of which each is"):
        read_results([own, rival])
    rival.write_text("\n".join(text.splitlines()[: N + 1]))
    with pytest.raises(
        ModelError, match=r"'1-0' may be each of 'A:1-0', 'B:1-0' of .*; say which in a column corpus"
    ):
        read_results([own, rival])


def test_a_rival_takes_corpus_and_audio_from_ours(tmp_path):
    ours = of_corpus(make_run("GAN"), "A", audio="a")
    own, rival = save(ours, tmp_path), tmp_path / "rival.csv"
    rival.write_text(as_csv([make_run("SVM")]))
    report = summarise(read_results([own, rival]))
    assert (report.n_utterances, report.n_speakers) == (N, 2)
    assert read_results([own, rival])[1].utterances[0].digest == "a00"
    rival.write_text(as_csv([make_run("SVM")]).replace("1-0,", "1-0\N{COMBINING ACUTE ACCENT},"))
    with pytest.raises(ModelError, match="is not an utterance of"):
        read_results([own, rival])


def test_an_id_in_another_normal_form_is_the_same(tmp_path):
    ours = make_run("GAN")
    ours = replace(
        ours, utterances=tuple(replace(u, id=f"\N{LATIN SMALL LETTER E WITH ACUTE}{u.id}") for u in ours.utterances)
    )
    own, rival = save(ours, tmp_path), tmp_path / "rival.csv"
    text = as_csv([replace(ours, tags={**ours.tags, "method": "SVM"})])
    rival.write_text(text.replace("\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"))
    assert summarise(read_results([own, rival])).n_utterances == N


def test_speakers_that_were_trained_on_are_those_of_the_corpus(chain, pair, tmp_path):
    from sertools.scoring.results.evaluation import _warn

    header = type("Header", (), {"lineage": Lineage(speakers=frozenset({"A:01", "A:02"}))})()
    rows = open_rows([pair["B"]])
    _warn(rows, header)
    for key in "Aa":
        with pytest.warns(SertoolsWarning, match="2 of its speakers were trained on"):
            _warn(open_rows([pair[key]]), header)
    header.lineage = Lineage(speakers=frozenset({"01"}))
    with pytest.warns(SertoolsWarning, match="1 of its speakers were trained on"):
        _warn(rows, header)


def test_the_command_line_takes_speakers_as_one(tmp_path, call: Call):
    for run in (of_corpus(make_run("GAN"), "A", audio="a"), of_corpus(make_run("GAN"), "B", audio="b", fold="2")):
        save(replace(run, source=f"{run.utterances[0].corpus}.json"), tmp_path)
    apart, together = (
        json.loads(call("report", "A.json", "B.json", "--format", "json", *more).out)["n_speakers"]
        for more in ((), ("--same-speakers",))
    )
    assert (apart, together) == (4, 2)
