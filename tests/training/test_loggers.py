import importlib.util
import os

import pytest

from brushnet.errors import UserError
from brushnet.training import loggers


@pytest.mark.parametrize("kind", ["wandb", "tensorboard"])
def test_a_logger_whose_package_is_missing_names_its_extra(kind, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=rf"logger\.kind={kind} needs the package {kind}: pip install 'brushnet\[{kind}\]'"
    ):
        loggers.check_logger(kind)


def test_the_csv_logger_needs_no_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    loggers.check_logger("csv")


def test_a_login_is_found_in_the_environment_and_in_a_netrc_file(monkeypatch, tmp_path):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert not loggers._wandb_login()
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret\n")
    assert loggers._wandb_login()
    (tmp_path / "netrc").write_text("machine example.org login user password secret\n")
    assert not loggers._wandb_login()
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert loggers._wandb_login()


def test_a_login_without_a_network_ends_offline(monkeypatch, tmp_path, caplog):
    import wandb

    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    monkeypatch.setenv("WANDB_MODE", "online")
    original = wandb.init

    def unreachable(*args, **kwargs):
        if kwargs.get("mode") != "offline" and os.environ["WANDB_MODE"] != "offline":
            raise wandb.errors.CommError("no route")
        return original(*args, **kwargs)

    monkeypatch.setattr(wandb, "init", unreachable)
    [logger] = loggers.open_loggers("wandb", tmp_path, project="p", name="n")
    assert "wandb cannot be reached, logging offline: no route" in caplog.text
    assert logger.experiment.settings.mode == "offline"
    wandb.finish()
