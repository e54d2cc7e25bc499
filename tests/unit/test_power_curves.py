"""The shipped curves are what was measured, and a site's own file is read with care."""

from pathlib import Path

import polars as pl
import pytest

from headrace.adapters.caps.power_curves import load_curves
from headrace.core import BadInput

DATA = Path(__file__).parents[3] / "shared" / "data" / "gpu_power"


def medians(name, *filters):
    path = DATA / name
    if not path.exists():
        pytest.skip("shared data are not beside the checkout")
    return pl.read_parquet(path).filter(*filters)


def test_training_curves_are_the_measured_medians():
    sweep = medians("training_power_limit_sweep.parquet", pl.col("gpu") == "V100")
    for name, runs in (("training", sweep.filter(pl.col("network") == "bert_base_uncased")), ("training-small", sweep)):
        rows = runs.group_by("power_limit_w").agg(pl.median("rel_power"), pl.median("rel_throughput"))
        rows = rows.sort("power_limit_w")
        curve = load_curves()[name]
        assert curve.power_ratio == pytest.approx(rows["rel_power"].to_list(), abs=1e-3)
        assert curve.throughput_ratio == pytest.approx(rows["rel_throughput"].to_list(), abs=1e-3)


def test_serving_is_the_measured_instance():
    rows = medians(
        "llm_inference_power_h100_b200.parquet",
        pl.col("gpu_model") == "H100",
        pl.col("model_id").str.contains("Llama-3.1-70B"),
        pl.col("max_num_seqs").is_in([8, 32, 64, 128, 256, 512, 1024]),
    ).sort("max_num_seqs")
    curve = load_curves()["serving"]
    full = rows[-1]
    power = (rows["avg_power_w_per_gpu"] / full["avg_power_w_per_gpu"][0]).to_list()
    throughput = (rows["output_tokens_per_s"] / full["output_tokens_per_s"][0]).to_list()
    assert curve.power_ratio == pytest.approx(power, abs=1e-3)
    assert curve.throughput_ratio == pytest.approx(throughput, abs=1e-3)


def test_a_sites_own_curve_goes_over_the_shipped_one(tmp_path):
    path = tmp_path / "curves.toml"
    path.write_text(
        '[decode]\nlever="clock"\npower_ratio=[0.6,1.0]\nthroughput_ratio=[0.9,1.0]\nidle_ratio=0.1\n'
        'is_measured=true\nsource="own"\n'
    )
    curves = load_curves(path)
    assert curves["decode"].source == "own"
    assert curves["training"] == load_curves()["training"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a", "can't be read"),
        ("[a]\nlever = 'cap'\n", "missing"),
        (
            "[a]\nlever='cap'\npower_ratio=[0.5,1]\nthroughput_ratio=[0.5,0.9]\nidle_ratio=0.1\nis_measured=true\nsource=''",
            "full power",
        ),
        (
            "[a]\nlever='cap'\npower_ratio=[0.5]\nthroughput_ratio=[0.5,1]\nidle_ratio=0.1\nis_measured=true\nsource=''",
            "zip",
        ),
        ("a = 3", "Expected"),
    ],
)
def test_a_bad_file_says_where(tmp_path, text, found):
    path = tmp_path / "curves.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"curves\.toml") as error:
        load_curves(path)
    assert found in str(error.value)
