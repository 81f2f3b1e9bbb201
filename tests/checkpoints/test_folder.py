import logging

import pytest

from brushnet.checkpoints import file, folder
from brushnet.errors import UserError


@pytest.fixture
def kept(tmp_path):
    for name in ("last.ckpt", "step_000400.ckpt", "step_1000000.ckpt", "best.ckpt"):
        file.write({"name": name}, tmp_path / name)
    return tmp_path


def test_earlier_checkpoints_are_listed_newest_first_whatever_else_lies_there(kept):
    (kept / "step_mine.ckpt").write_bytes(b"")
    assert [step for step, _ in folder.earlier(kept)] == [1_000_000, 400]
    assert folder.step_name(400) == "step_000400.ckpt"


def test_the_last_one_is_the_newest(kept, caplog):
    assert folder.newest(kept) == kept / "last.ckpt"
    assert not caplog.text


def test_where_the_last_is_damaged_the_one_before_counts_and_it_is_said(kept, caplog):
    content = (kept / "last.ckpt").read_bytes()
    (kept / "last.ckpt").write_bytes(content[: len(content) // 2])
    with caplog.at_level(logging.WARNING):
        assert folder.newest(kept) == kept / "step_1000000.ckpt"
    assert "last.ckpt is damaged: it is cut off or no checkpoint" in caplog.text
    assert "going on from step_1000000.ckpt" in caplog.text
    assert (kept / "last.ckpt").exists()


def test_without_another_the_best_one_counts(kept):
    for name in ("last.ckpt", "step_000400.ckpt", "step_1000000.ckpt"):
        (kept / name).unlink()
    assert folder.newest(kept) == kept / "best.ckpt"


def test_a_folder_without_any_has_none(tmp_path):
    assert folder.newest(tmp_path) is None
    assert folder.newest(tmp_path / "absent") is None


def test_where_all_are_damaged_each_is_named(kept):
    for path in kept.glob("*.ckpt"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"every checkpoint is damaged \(last\.ckpt: it is empty; step_10"):
        folder.newest(kept)
