from pathlib import Path

import pytest

from brushnet import images
from brushnet.errors import BrushnetError, UserError
from brushnet.report.figure import BLUE, new_figure, plain_label, write_figure


def plotted(path: Path) -> bytes:
    figure, (axes,) = new_figure(3, 2)
    axes.plot([0, 1], [1, 0], color=BLUE, label="line")
    axes.legend()
    write_figure(figure, path)
    return path.read_bytes()


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_the_same_figure_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    assert plotted(tmp_path / f"a{suffix}") == plotted(tmp_path / "new folder" / f"b{suffix}")
    assert not list(tmp_path.rglob("*.part"))


def test_a_written_plot_is_a_picture_of_that_size_with_the_line_in_it(tmp_path: Path) -> None:
    plotted(tmp_path / "a.png")
    pixels = images.read_uint8(tmp_path / "a.png")
    assert pixels.shape == (3, 400, 600)
    wanted = [int(BLUE[at : at + 2], 16) for at in (1, 3, 5)]
    assert any((pixels[channel] == value).any() for channel, value in enumerate(wanted))


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    figure, _ = new_figure(3, 2)
    with pytest.raises(UserError, match=r"cannot write the plot .*a\.jpg: the suffix must be one of \.png, \.pdf"):
        write_figure(figure, tmp_path / "a.jpg")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    figure, _ = new_figure(3, 2)
    with pytest.raises(BrushnetError, match=r"cannot write .*a\.png: "):
        write_figure(figure, tmp_path / "file" / "a.png")


def test_any_name_can_be_a_label(tmp_path: Path) -> None:
    figure, (axes,) = new_figure(3, 2)
    names = ["$\\frac{$", "__hidden", "a\nb", "x" * 80]
    for name in names:
        axes.plot([0, 1], [1, 0], label=plain_label(name))
    legend = axes.legend()
    write_figure(figure, tmp_path / "a.png")
    assert [text.get_text() for text in legend.get_texts()] == ["\\$\\frac{\\$", "hidden", "a b", "x" * 29 + "..."]
