"""What `plot` draws beside spectrograms: class balance, comparison of methods, latent map; and how it chooses."""

import io
from dataclasses import replace

import numpy as np
import pytest
from chains import CPU, FRONT_END, noise, write_rows
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Ellipse
from test_plots import as_bytes
from test_report import FULL, GAN, IMBALANCED, make_run, row

from sertools.errors import ModelError, UsageError
from sertools.reporting.plots.class_balance import class_balance, count_rows
from sertools.reporting.plots.forest import forest, measures
from sertools.reporting.plots.latent_map import Plane, Points, draw_samples, latent_map
from sertools.reporting.plots.pictures import draw
from sertools.scoring.comparing.comparison import NEW_SPEAKERS, NEW_TRAINING
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.result_file import write_result
from sertools.store.reader import open_store
from sertools.training.autoencoder import encode, load_autoencoder
from sertools.training.batches import open_rows
from sertools.training.gaussians import ClassGaussians
from sertools.training.latents import load_latents
from sertools.verb_config import Plotting

REPORT = summarise([*FULL, *IMBALANCED, *GAN])


def words(figure: Figure) -> set[str]:
    axes = figure.axes
    found = [text.get_text() for each in axes for text in (*each.texts, *each.get_yticklabels(), each.title)]
    return {*found, *(each.get_xlabel() for each in axes)}


def gaussians() -> ClassGaussians:
    """Two classes in three dimensions, far apart along the last."""
    mean = np.array([[0.0, 0.0, -5.0], [0.0, 0.0, 5.0]])
    covariance = np.stack([np.diag([0.1, 4.0, 1.0]), np.diag([0.1, 1.0, 1.0])])
    return ClassGaussians(("angry", "sad"), mean, covariance, (9, 9))


# The comparison.


def lines_of(axes) -> list:
    """Lines that are intervals: ends, place and width."""
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linewidth() > 1]
    return [([*line.get_xdata()], line.get_ydata()[0], line.get_linewidth()) for line in drawn]


def dots_of(axes) -> list:
    return [line for line in axes.lines if line.get_marker() == "o"]


def test_a_method_stands_at_its_difference_with_both_intervals():
    figure = forest(REPORT, measures(REPORT)[:1])
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["full", "GAN"]  # not the baseline
    lines, dots = lines_of(axes), dots_of(axes)
    assert len(lines) == 4
    for place, method in enumerate(("full", "GAN")):
        found = row(REPORT, method)
        (anew, above, thick), (classifiers, below, thin) = lines[2 * place : 2 * place + 2]
        assert anew == pytest.approx([100 * found.anew_difference.low, 100 * found.anew_difference.high])
        assert classifiers == pytest.approx([100 * found.auc_difference.low, 100 * found.auc_difference.high])
        assert above == place < below < place + 0.5
        assert thick > 2 * thin
        assert dots[place].get_xdata() == pytest.approx([100 * found.anew_difference.estimate])
    low, high = axes.get_ylim()
    assert low > high  # as in the table: the first method at the top
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [NEW_TRAINING, NEW_SPEAKERS]


def test_other_scores_have_the_classifiers_interval_alone():
    figure = forest(REPORT, measures(REPORT)[1:])
    (axes,) = figure.axes
    lines = lines_of(axes)
    for place, method in enumerate(("full", "GAN")):
        found = row(REPORT, method).difference
        assert lines[place][:2] == (pytest.approx([100 * found.low, 100 * found.high]), place)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [NEW_SPEAKERS]
    assert {dot.get_markerfacecolor() for dot in dots_of(axes)} == {"white"}


def test_a_point_is_filled_where_the_method_differs_for_certain():
    report = replace(REPORT, rows=tuple(replace(row, p_holm=0.01) for row in REPORT.rows))
    dots = dots_of(forest(report, measures(report)[:1]).axes[0])
    sure = [bool(row(report, name).differs) for name in ("full", "GAN")]
    # Both classifiers differ on new speakers, but only one method where it is trained anew.
    assert sure == [True, False]
    assert all(row(report, name).auc_difference.excludes_zero for name in ("full", "GAN"))
    assert [to_rgba(dot.get_markerfacecolor()) != to_rgba("white") for dot in dots] == sure
    assert {dot.get_markerfacecolor() for dot in dots_of(forest(REPORT, measures(REPORT)[:1]).axes[0])} == {"white"}


def test_a_panel_for_each_measure_there_is_and_the_judged_one_first():
    assert [measure.name for measure in measures(REPORT)] == ["reduced AUC", "UAR"]
    assert len(forest(REPORT).axes) == 2
    assert "reduced AUC, points from imbalanced" in words(forest(REPORT))
    (alone,) = measures(summarise([make_run(m, f, reduced="") for m in ("imbalanced", "CP") for f in "12"]))
    assert (alone.name, alone.judged) == ("UAR", True)


@pytest.mark.parametrize("results", [GAN, IMBALANCED, [*GAN, *FULL]])
def test_nothing_to_compare_is_said(results):
    with pytest.raises(UsageError, match=r"nothing to compare: .*--baseline"):
        forest(summarise(results))


def test_methods_without_speakers_are_points_without_lines():
    report = summarise([make_run(m, f, speaker="") for m in ("imbalanced", "CP") for f in "12"])
    axes = forest(report).axes[0]
    assert len(dots_of(axes)) == 1
    assert not [line for line in lines_of(axes) if line[2] < 2]


# Class balance.


def test_rows_are_counted_by_class_and_origin():
    emotion = np.array(["sad", "sad", "angry", "sad", "angry", "sad"])
    origin = np.array(["real", "copied", "real", "pitch_shift", "generated", "time_stretch"])
    counts = count_rows(emotion, origin)
    assert counts["sad"] == {"real": 1, "altered": 2, "copied": 1, "generated": 0, "borrowed": 0}
    assert counts["angry"] == {"real": 1, "altered": 0, "copied": 0, "generated": 1, "borrowed": 0}


def test_bars_add_up_to_the_rows_of_a_class(chain):
    figure = draw([chain.train, chain.synth], Plotting(kind="balance", names=["before", "what is new"]))
    _, sizes = np.unique(open_store(chain.train).contents.emotion, return_counts=True)
    ratio = f"{sizes.max() / sizes.min():.1f}"
    assert ratio != "1.0"
    assert {f"before\nlargest / smallest class: {ratio}", "what is new\nlargest / smallest class: 1.0"} <= words(
        figure
    )
    for axes, path in zip(figure.axes, (chain.train, chain.synth), strict=True):
        emotion = open_store(path).contents.emotion
        bars = [patch for container in axes.containers for patch in container.patches]
        for place, name in enumerate(("angry", "happy", "neutral", "sad")):
            ends = [bar.get_x() + bar.get_width() for bar in bars if round(bar.get_y() + 0.35) == place]
            assert max(ends) == (emotion == name).sum()
    assert len({axes.get_xlim() for axes in figure.axes}) == 1


def test_a_class_that_a_store_lacks_has_no_bar_and_no_ratio():
    figure = class_balance([("a", {"sad": {"real": 4, "altered": 0, "copied": 0, "generated": 0, "borrowed": 0}}),
                            ("b", count_rows(np.array(["angry", "sad"]), np.array(["real", "real"])))])  # fmt: skip
    assert {"a\n", "b\nlargest / smallest class: 1.0", "0", "4"} <= words(figure)
    with pytest.raises(ModelError, match="no row to count"):
        class_balance([("a", {})])


# The latent map.


def test_the_plane_is_that_of_the_greatest_spread():
    plane = Plane.of(gaussians())
    assert np.abs(plane.axes[:, 0]) == pytest.approx([0, 0, 1], abs=1e-9)
    assert np.abs(plane.axes[:, 1]) == pytest.approx([0, 1, 0], abs=1e-9)
    assert plane.axes.max(axis=0) == pytest.approx([1, 1])  # the sign is settled
    assert plane.shares == pytest.approx([26 / 28.6, 2.5 / 28.6])


def test_an_ellipse_holds_95_percent_of_its_gaussian():
    figure = latent_map(gaussians(), [draw_samples(gaussians(), 0)])
    ellipses = [patch for patch in figure.axes[0].patches if isinstance(patch, Ellipse)]
    plane, rng = Plane.of(gaussians()), np.random.default_rng(1)
    for number, ellipse in enumerate(ellipses):
        points = plane.place(gaussians().sample(number, 4000, rng)) - ellipse.center
        turn = np.deg2rad(-ellipse.angle)
        turned = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        inside = (turned**2 / np.array([ellipse.width / 2, ellipse.height / 2]) ** 2).sum(axis=1) <= 1
        assert inside.mean() == pytest.approx(0.95, abs=0.015)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"angry", "sad"}


def test_a_latent_of_one_number_can_be_drawn():
    flat = ClassGaussians(("a", "b"), np.array([[0.0], [1.0]]), np.ones((2, 1, 1)), (5, 5))
    assert len(as_bytes(latent_map(flat, [draw_samples(flat, 0)]), "png")) > 1000


def test_rows_of_stores_stand_where_their_autoencoder_puts_them(chain):
    figure = draw([chain.latents, chain.ae, chain.train, chain.synth])
    assert [axes.get_title() for axes in figure.axes] == ["train", "synth"]
    header, encoder, _ = load_autoencoder(chain.ae)
    plane = Plane.of(load_latents(chain.latents).gaussians)
    for axes, path in zip(figure.axes, (chain.train, chain.synth), strict=True):
        rows = open_rows([path])
        placed = plane.place(encode(encoder, rows, header.scaler, CPU))
        for dots, name in zip(axes.collections, ("angry", "happy", "neutral", "sad"), strict=True):
            np.testing.assert_allclose(dots.get_offsets(), placed[rows.emotion == name], atol=1e-5)


def test_another_autoencoder_is_refused(chain, tmp_path):
    from chains import pretrain

    pretrain([chain.train], tmp_path / "other", seed=5)
    with pytest.raises(ModelError, match=r"latents\.h5: fitted with another autoencoder than .*other"):
        draw([chain.latents, tmp_path / "other", chain.train])


# All of them.


@pytest.fixture
def files(chain, tmp_path):
    """One command line for each kind of picture."""
    results = []
    for number, result in enumerate([*IMBALANCED, *GAN]):
        results.append(tmp_path / f"r{number}.json")
        with results[-1].open("w", encoding="utf-8") as stream:
            write_result(result, stream)
    return {
        "balance": [chain.train, chain.synth, "--kind", "balance"],
        "comparison": results,
        "map": [chain.latents],
    }


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
@pytest.mark.parametrize("name", ["balance", "comparison", "map"])
def test_the_same_files_give_the_same_bytes(files, call, tmp_path, name, suffix):
    for stem in ("one", "two"):
        done = call("plot", *files[name], "-o", f"{stem}.{suffix}", "--title", "A $title")
        assert (done.code, done.out) == (0, ""), done.err
    content = (tmp_path / f"one.{suffix}").read_bytes()
    assert len(content) > 5000
    assert content == (tmp_path / f"two.{suffix}").read_bytes()


def test_the_ground_is_white_whatever_lies_behind():
    figures = [forest(REPORT), latent_map(gaussians(), [Points("p", np.zeros((1, 3)), np.array(["sad"]))])]
    figures.append(class_balance([("a", count_rows(np.array(["sad"]), np.array(["real"])))]))
    for figure in figures:
        page = imread(io.BytesIO(as_bytes(figure, "png")))
        assert (page[[0, 0, -1, -1], [0, -1, 0, -1]] == 1).all()  # opaque too


def test_hostile_names_are_drawn_as_they_are(tmp_path, rng):
    path = write_rows(tmp_path / "s.h5", noise(rng, 2), ["\x1b[31m$x^", "<script>"], front_end=FRONT_END)
    figure = draw([path], Plotting(kind="balance", names=["$\\frac$"]))
    assert {r"\u001b[31m\$x^", "<script>"} <= words(figure)
    assert len(as_bytes(figure, "png")) > 1000


def test_the_kind_follows_the_files_unless_it_is_named(files):
    several = files["comparison"]
    assert len(draw(several).axes) == 2  # UAR and AUC
    assert len(draw(several, Plotting(kind="confusion")).axes) == 2  # the matrix and its colour bar
    assert draw(several, Plotting(kind="confusion")).axes[0].images
    assert not draw(several).axes[0].images
    assert draw(several[:1]).axes[0].images


@pytest.mark.parametrize(
    ("names", "kind", "words"),
    [
        (["train"], "comparison", "--kind comparison: is not for these files .*train.h5 is spectrograms"),
        (["train"], "pie", "--kind 'pie': expected one of spectrograms, map, balance, confusion, comparison"),
        (["latents"], "balance", "--kind balance: is not for these files"),
    ],
)
def test_a_kind_that_does_not_fit_is_refused(chain, names, kind, words):
    with pytest.raises(UsageError, match=words):
        draw([getattr(chain, name) for name in names], Plotting(kind=kind))


def test_a_baseline_is_taken(files):
    assert "UAR, points from GAN" in words(draw(files["comparison"], Plotting(baseline="GAN")))
    with pytest.raises(UsageError, match="no result has the tag method=SMOTE"):
        draw(files["comparison"], Plotting(baseline="SMOTE"))
