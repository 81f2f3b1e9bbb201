"""What is read and written where, and what is refused before the first picture."""

from pathlib import Path

import pytest
import torch

from brushnet.errors import UserError
from brushnet.inference.contact_sheet import ContactSheet
from brushnet.inference.plan import Plan, plan


def make_plan(inputs, out, *, scale_labels=("1.00",), force=False) -> Plan:
    return plan([Path(path) for path in inputs], Path(out), scale_labels=scale_labels, force=force)


def names(made: Plan, out: Path) -> list[str]:
    return [path.relative_to(out).as_posix() for path in made.outputs]


def test_one_scale_keeps_the_name_and_has_no_sheet(tmp_path, save_photo):
    made = make_plan([save_photo(tmp_path / "a.jpg")], tmp_path / "out")
    assert names(made, tmp_path / "out") == ["a.jpg"]
    assert made.sheet is None


def test_several_scales_are_in_the_names_beside_a_sheet(tmp_path, save_photo):
    made = make_plan([save_photo(tmp_path / "a.jpg")], tmp_path / "out", scale_labels=["0.50", "2.00"])
    assert names(made, tmp_path / "out") == ["a_s0.50.jpg", "a_s2.00.jpg", "sheet.jpg"]


def test_folders_keep_their_structure_and_hidden_files_are_left_out(tmp_path, save_photo):
    for name in ["b.png", "deep/er/a.jpg", ".hidden.jpg"]:
        save_photo(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("not a picture")
    made = make_plan([tmp_path / "photos"], tmp_path / "out")
    assert names(made, tmp_path / "out") == ["b.png", "deep/er/a.jpg"]


def test_formats_that_are_not_written_become_png(tmp_path, save_photo):
    made = make_plan([save_photo(tmp_path / "a.bmp"), save_photo(tmp_path / "b.gif")], tmp_path / "out")
    assert names(made, tmp_path / "out") == ["a.png", "b.png"]


def test_no_two_photos_share_an_output(tmp_path, save_photo):
    inputs = [save_photo(tmp_path / name) for name in ["x/a.jpg", "y/a.jpg", "z/a.png", "z/a.bmp", "z/a-2.jpg"]]
    made = make_plan(inputs, tmp_path / "out")
    assert names(made, tmp_path / "out") == ["a.jpg", "a-2.jpg", "a.png", "a-2.png", "a-2-2.jpg"]


def test_a_photo_given_twice_is_painted_once(tmp_path, save_photo):
    photo = save_photo(tmp_path / "photos" / "a.jpg")
    made = make_plan([photo, tmp_path / "photos", photo], tmp_path / "out")
    assert names(made, tmp_path / "out") == ["a.jpg"]


def test_what_an_earlier_run_wrote_below_the_input_is_not_painted_again(tmp_path, save_photo):
    save_photo(tmp_path / "photos" / "a.jpg")
    save_photo(tmp_path / "photos" / "out" / "old.jpg")
    made = make_plan([tmp_path / "photos"], tmp_path / "photos" / "out")
    assert [job.photo.name for job in made.jobs] == ["a.jpg"]


def test_a_link_that_leads_to_itself_and_a_name_too_long_for_its_output_do_not_refuse_the_folder(tmp_path, save_photo):
    save_photo(tmp_path / "photos" / "a.jpg")
    save_photo(tmp_path / "photos" / f"{'b' * 251}.png")
    (tmp_path / "photos" / "loop.jpg").symlink_to("loop.jpg")
    made = make_plan([tmp_path / "photos"], tmp_path / "out", scale_labels=["0.50", "2.00"])
    assert [job.photo.name[0] for job in made.jobs] == ["a", "b", "l"]


def test_an_input_folder_below_the_output_folder_is_painted(tmp_path, save_photo, monkeypatch):
    save_photo(tmp_path / "photos" / "deep" / "a.jpg")
    monkeypatch.chdir(tmp_path)
    assert [path.as_posix() for path in make_plan(["photos"], ".").outputs] == ["deep/a.jpg"]


def test_picture_suffix_names_the_file(tmp_path, save_photo):
    made = make_plan([save_photo(tmp_path / "a.jpg")], tmp_path / "new" / "b.PNG")
    assert made.outputs == [tmp_path / "new" / "b.PNG"]


def test_pictures_that_are_there_are_left_out_unless_forced(tmp_path, save_photo):
    photos = [save_photo(tmp_path / "a.jpg"), save_photo(tmp_path / "b.jpg")]
    save_photo(tmp_path / "out" / "a.jpg")
    made = make_plan(photos, tmp_path / "out")
    assert names(made, tmp_path / "out") == ["b.jpg"]
    assert [len(job.there) for job in made.jobs] == [1, 0]
    assert names(make_plan(photos, tmp_path / "out", force=True), tmp_path / "out") == ["a.jpg", "b.jpg"]


def test_of_several_scales_only_the_missing_ones_are_painted(tmp_path, save_photo):
    save_photo(tmp_path / "out" / "a_s1.00.jpg")
    made = make_plan([save_photo(tmp_path / "a.jpg")], tmp_path / "out", scale_labels=["1.00", "2.00"])
    assert names(made, tmp_path / "out") == ["a_s2.00.jpg", "sheet.jpg"]


def test_one_picture_that_is_there_needs_force(tmp_path, save_photo):
    photo, out = save_photo(tmp_path / "a.jpg"), save_photo(tmp_path / "out.jpg")
    with pytest.raises(UserError, match=r"out\.jpg would be overwritten; pass --force to allow it"):
        make_plan([photo], out)
    assert make_plan([photo], out, force=True).outputs == [out]


def test_a_folder_with_a_picture_s_name_is_no_picture_that_is_there(tmp_path, save_photo):
    (tmp_path / "out" / "a.jpg").mkdir(parents=True)
    assert names(make_plan([save_photo(tmp_path / "a.jpg")], tmp_path / "out"), tmp_path / "out") == ["a.jpg"]


def test_a_stranger_s_picture_of_the_sheet_s_name_needs_force(tmp_path, save_photo):
    save_photo(tmp_path / "out" / "sheet.jpg")
    photo = save_photo(tmp_path / "a.jpg")
    with pytest.raises(UserError, match=r"out/sheet\.jpg would be overwritten"):
        make_plan([photo], tmp_path / "out", scale_labels=["1.00", "2.00"])
    assert make_plan([photo], tmp_path / "out", scale_labels=["1.00", "2.00"], force=True).sheet


def test_an_earlier_sheet_is_made_anew_only_where_pictures_are(tmp_path, save_photo):
    sheet = ContactSheet()
    sheet.add(tmp_path / "a.jpg", [torch.zeros(1, 3, 8, 8)])
    sheet.write(tmp_path / "out" / "sheet.jpg", [])
    photo, labels = save_photo(tmp_path / "a.jpg"), ["1.00", "2.00"]
    assert make_plan([photo], tmp_path / "out", scale_labels=labels).sheet
    for label in labels:
        save_photo(tmp_path / "out" / f"a_s{label}.jpg")
    assert make_plan([photo], tmp_path / "out", scale_labels=labels).outputs == []
    (tmp_path / "out" / "sheet.jpg").unlink()
    assert names(make_plan([photo], tmp_path / "out", scale_labels=labels), tmp_path / "out") == ["sheet.jpg"]


def test_one_format_for_all(tmp_path, save_photo):
    photos = [save_photo(tmp_path / name) for name in ("a.jpg", "b.bmp", "a.tif")]
    made = plan(photos, tmp_path / "out", scale_labels=["1"], force=False, suffix=".png")
    assert names(made, tmp_path / "out") == ["a.png", "b.png", "a-2.png"]


@pytest.mark.parametrize("out", ["a.jpg", "./sub/../a.jpg", "link.jpg"])
@pytest.mark.parametrize("force", [False, True])
def test_an_input_is_never_overwritten(tmp_path, save_photo, out, force):
    photo = save_photo(tmp_path / "a.jpg")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.jpg").symlink_to(photo)
    with pytest.raises(UserError, match=r"-o .* would overwrite the input .*; choose another"):
        make_plan([photo], tmp_path / out, force=force)


def test_output_folder_that_holds_the_input_is_refused_for_the_same_name(tmp_path, save_photo):
    photo = save_photo(tmp_path / "a.jpg")
    with pytest.raises(UserError, match=r"would overwrite the input .*a\.jpg"):
        make_plan([photo], tmp_path, force=True)


def test_input_folder_as_output_is_refused(tmp_path, save_photo):
    save_photo(tmp_path / "photos" / "a.jpg")
    with pytest.raises(UserError, match=r"-o .*photos is the input folder itself; choose another"):
        make_plan([tmp_path / "photos"], tmp_path / "photos", scale_labels=["1.00", "2.00"])


def test_missing_input(tmp_path):
    for out in ["out", "out.jpg"]:
        with pytest.raises(UserError, match=r"input not found: .*gone\.jpg; give pictures or folders"):
            make_plan([tmp_path / "gone.jpg"], tmp_path / out)
        assert not (tmp_path / out).exists()


def test_empty_folder(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match=r"photos: no pictures in this folder \(looked for \.jpg, "):
        make_plan([tmp_path / "photos"], tmp_path / "out")


def test_one_picture_for_several_inputs(tmp_path, save_photo):
    photos = [save_photo(tmp_path / "p" / "a.jpg"), save_photo(tmp_path / "p" / "b.jpg")]
    for inputs in [photos, [tmp_path / "p"]]:
        with pytest.raises(
            UserError, match=r"-o .*out\.jpg is one picture, but the input is a folder or several files"
        ):
            make_plan(inputs, tmp_path / "out.jpg")


def test_one_picture_for_several_scales(tmp_path, save_photo):
    with pytest.raises(UserError, match=r"-o .*out\.jpg is one picture, but --strokes asks for 3; give -o a folder"):
        make_plan([save_photo(tmp_path / "a.jpg")], tmp_path / "out.jpg", scale_labels=["1", "2", "3"])


def test_suffix_that_is_not_written(tmp_path, save_photo):
    with pytest.raises(UserError, match=r"-o .*out\.gif: \.gif cannot be written, allowed are \.jpg, .*\.png"):
        make_plan([save_photo(tmp_path / "a.jpg")], tmp_path / "out.gif")


def test_folder_that_is_called_like_a_picture(tmp_path, save_photo):
    (tmp_path / "out.jpg").mkdir()
    with pytest.raises(UserError, match=r"-o .*out\.jpg: a folder with the suffix of a picture"):
        make_plan([save_photo(tmp_path / "a.jpg")], tmp_path / "out.jpg")


def test_file_where_the_output_folder_should_be(tmp_path, save_photo):
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match=r"-o .*out: a file; give a folder, or a picture with one of \.jpg"):
        make_plan([save_photo(tmp_path / "a.jpg")], tmp_path / "out")


@pytest.mark.parametrize("out", ["file/out", "file/out.jpg"])
def test_output_that_cannot_be_written(tmp_path, save_photo, out):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"-o .*file.* cannot be written to: (Not a directory|File exists)"):
        make_plan([save_photo(tmp_path / "a.jpg")], tmp_path / out)


def test_nothing_is_left_behind_in_the_output_folder(tmp_path, save_photo):
    make_plan([save_photo(tmp_path / "a.jpg")], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
