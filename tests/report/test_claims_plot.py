from brushnet import images
from brushnet.report.claims_plot import claims_figure
from brushnet.report.figure import write_figure

VERDICTS = {
    "a": "contradicted",
    "b": "not tested",
    "c, loss network": "depends",
    "c, residual blocks": "not tested",
    "d": "supported",
}


def test_the_figure_can_be_looked_at_with_and_without_figures_to_draw(tmp_path) -> None:
    told = {0.5: [1.0, -1.0], 2.0: [0.5, 0.2]}
    full = {
        "centres": {"one": {2.8: 10.0, 11.0: 30.0}, "other": {4.0: 9.0}},
        "sights": {"one": {"relu1_1": 2.0, "relu2_1": 5.0}, "other": {"relu1_1": 1.0, "relu3_1": 0.4}},
        "detail": {"optimised pictures": (told, told), "trained models": (told, told)},
        "losses": {"fixed 1, 5 blocks": {0.5: 2.0, 2.0: 1.0}, "mixed 0.35-2.8, 5 blocks": {0.5: 1.2, 2.0: 1.4}},
    }
    empty = {
        "centres": {"one": {}},
        "sights": {"one": {}},
        "losses": {},
        "detail": {"optimised pictures": (told, told)},
    }
    for name, figures in {"full": full, "empty": empty}.items():
        write_figure(claims_figure(VERDICTS, **figures), tmp_path / f"{name}.png")
        pixels = images.read_uint8(tmp_path / f"{name}.png")
        assert min(pixels.shape[-2:]) > 1000
        assert pixels.float().std() > 20
