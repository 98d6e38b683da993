"""What `make bench` writes: tables that leave what is written by hand, ratios the right way up, equal work."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import process_environment

SCRIPTS_FOLDER = Path(__file__).parent / "benchmarks"
PAGE = """# Performance

<!-- table -->

### store_reading

Old.

<!-- end -->

## Why goals are missed

### Reading, by day

It is dark.
"""


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS_FOLDER))


def figure(what: str, ratio: float, **changes: object) -> dict[str, object]:
    plain = {"what": what, "rival": "another", "ratio": ratio, "unit": "speed", "goal": 2.0, "low": 0.5, "high": 9.0}
    return {**plain, "size": "small", "floor": "", **changes}


def test_a_table_takes_the_place_of_the_last_one_and_leaves_the_rest():
    import table

    lines = [figure("Reading, by day", 1.5), figure("by night", 2.5, floor="alone 3×")]
    once = table.updated(PAGE, "store_reading", lines, "here.")
    assert "Old." not in once
    assert once.partition("<!-- end -->")[2] == PAGE.partition("<!-- end -->")[2]
    assert table.updated(once, "store_reading", lines, "here.") == once
    grown = table.updated(once, "growth", [{"verb": "extract", "rows": 40}], "here.")
    assert "| verb | rows |\n| --- | --- |\n| extract | 40 |\n" in grown
    assert once.partition("<!-- table -->")[2].partition("<!-- end -->")[0].strip() in grown


@pytest.mark.parametrize(
    ("line", "aim"),
    [
        (figure("Reading, by day", 1.5), "≥ 2, **short** ([why](#reading-by-day))"),
        (figure("by night", 1.5), "≥ 2, **short**"),
        (figure("by night", 2.0), "≥ 2"),
        (figure("by night", 1.5, unit="time"), "≤ 2"),
        (figure("by night", 2.5, unit="memory"), "≤ 2, **short**"),
        (figure("by night", 1.5, unit="peak"), "≥ 2, **short**"),
        (figure("by night", 1.5, goal=None), "–"),
    ],
)
def test_a_missed_goal_is_marked_and_its_reason_linked(line, aim):
    import table

    cells = dict(zip(table.HEAD, table.figure_row(line, PAGE), strict=True))
    assert cells["goal"] == aim
    assert cells["ratio (range of pairs)"] == f"{line['ratio']:.2f}× the {line['unit']} (0.50 to 9.00)"


@pytest.mark.parametrize(("unit", "ratio", "floor"), [("time", 0.5, "alone 0.25×"), ("speed", 2.0, "alone 4.00×")])
def test_ratio_and_floor_are_of_the_rivals_time(unit, ratio, floor):
    from pairs import compare

    made = compare(
        lambda: 2.0, lambda: 4.0, pairs=3, what="a", against="b", unit=unit, goal=1.0, size="", floor="alone",
        bound=lambda: 1.0,
    )  # fmt: skip
    assert (made.ratio, made.low, made.high, made.floor) == (ratio, ratio, ratio, floor)


def test_every_script_of_the_table_is_there():
    import table

    assert all((SCRIPTS_FOLDER / f"{name}.py").is_file() for name in table.SCRIPTS)


@pytest.mark.parametrize("step", ["cnn", "autoencoder", "GAN"])
def test_both_sides_of_a_step_do_the_same_products(step):
    from training_steps import CPU, SIDES, flops_of_convolutions, make_step

    flops = {name: flops_of_convolutions(make_step(step, side, 1 / 32, 2, CPU)) for name, side in SIDES.items()}
    assert flops["naive"] > 0
    assert set(flops.values()) == {flops["naive"]}
    assert flops_of_convolutions(make_step(step, SIDES["naive"], 1 / 32, 2, torch.device("meta"))) == flops["naive"]


def test_products_and_bytes_of_a_step_are_counted():
    from gpu import work_of

    a, out = torch.ones(8, 8), torch.empty(8, 8)
    work = work_of(lambda: torch.mm(a, a.T, out=out))
    # Two read, one written and returned; the transposed view moves nothing.
    assert (work.flops, work.moved) == (2 * 8**3, 4 * 8 * 8 * 4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_its_benchmark_says_so_and_is_no_failure():
    done = subprocess.run(
        [sys.executable, str(SCRIPTS_FOLDER / "gpu.py")],
        env=process_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "gpu: no GPU here, nothing measured\n"


def test_growth_prints_a_line_a_verb_and_size(capsys):
    import growth

    growth.say("extract", 40, 2.0, 80_000_000)
    line = json.loads(capsys.readouterr().out)
    wanted = {"verb": "extract", "rows": 40, "seconds": "2", "seconds a 1000 rows": "50", "peak MB": "80"}
    assert line == wanted
    seconds, peak = growth.costs([sys.executable, "-c", "import time; x = b'x' * 50_000_000; time.sleep(0.5)"])
    assert seconds > 0.5
    assert peak > 50_000_000
