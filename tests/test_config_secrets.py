"""What may not leave the machine with a log."""

from brushnet.config import compose, to_dict
from brushnet.config.secrets import all_without_secrets


def test_passwords_queries_and_commands_are_left_out_wherever_they_stand():
    cfg = compose(["data.path=https://me:secret@host/a.tar?token=secret", "style.files=[a.jpg]"])
    cfg.style.files = ["pipe:curl -H secret", "b.jpg"]
    shown = all_without_secrets(to_dict(cfg))
    assert "secret" not in str(shown)
    assert shown["data"]["path"] == "https://...@host/a.tar?..."
    assert shown["style"]["files"] == ["pipe:...", "b.jpg"]
    assert shown["net"] == to_dict(cfg)["net"]
