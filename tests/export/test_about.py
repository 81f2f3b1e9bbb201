"""What a file says of itself."""

import json
from pathlib import Path

import pytest

from brushnet import samples
from brushnet.errors import UserError
from brushnet.export import export
from brushnet.export.about import NOT_STATED, OF_EMBEDDED, about, check_licence, licence_in, licence_of
from brushnet.model_header import read_meta
from brushnet.model_meta import KEY, ModelMeta

REPOSITORY = Path(__file__).parents[2]


def test_plain_words_stand_beside_what_brushnet_reads(make_model):
    meta = make_model(styles=2).meta
    texts = about(meta, "CC0")
    assert ModelMeta.from_json(texts.pop(KEY), source="x") == meta
    assert texts == {
        "brushnet_version": meta.version,
        "stroke_mode": "conditioned",
        "stroke_min": "0.35",
        "stroke_max": "2.8",
        "reference_px": "256",
        "style_names": json.dumps(["painting-0", "painting-1"]),
        "licence": "CC0",
    }


def test_the_terms_of_embedded_models_are_those_of_the_samples():
    rows = [line.split(" | ") for line in (REPOSITORY / "data" / "README.md").read_text().splitlines()]
    terms = {cells[0].removeprefix("| "): cells[-1].removesuffix(" |") for cells in rows if len(cells) == 3}
    assert samples.models()
    for path in samples.models().values():
        assert terms[path.name] == OF_EMBEDDED
        meta = read_meta(path)
        assert licence_of(meta, None) == f"{OF_EMBEDDED} ({meta.training['painting']})"
        assert licence_of(meta, "mine") == "mine"


def test_of_other_models_nothing_is_claimed(make_model):
    assert licence_of(make_model().meta, None) == NOT_STATED


@pytest.mark.parametrize(("text", "got"), [("", "''"), ("a\nb", r"'a\\nb'"), ("x" * 1001, "'x{60}'")])
def test_a_licence_is_printable(text, got):
    with pytest.raises(UserError, match=f"--licence must be printable text of 1 to 1000 characters, got {got}"):
        check_licence(text)
    assert check_licence("CC BY 4.0, \N{COPYRIGHT SIGN} somebody") == "CC BY 4.0, \N{COPYRIGHT SIGN} somebody"


def test_the_note_of_an_exported_file_stays_when_it_is_exported_again(make_model, tmp_path):
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    export(make_model(), first, licence="CC BY 4.0, by me")
    export(first, second)
    assert licence_in(second) == "CC BY 4.0, by me"
    assert licence_in(tmp_path / "nothing.safetensors") is None
