"""`brushnet train`: one run, a resumed run, or a sweep, composed by Hydra."""

import atexit
import logging
import os
from pathlib import Path
from typing import Any

from brushnet.checkpoints.run_folder import locate
from brushnet.commands.job import Job, existing, holds_run, rank
from brushnet.commands.parser import Parser
from brushnet.commands.train_help import epilog
from brushnet.config import Config
from brushnet.config.compose import CONFIG_NAME, compose_all, engine, split
from brushnet.config.overrides import quote, repaired
from brushnet.config.saved import to_yaml
from brushnet.errors import UserError
from brushnet.stop_signals import ignore
from brushnet.training.cluster import check_cluster


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.usage = "brushnet train [option=value ...] [-m] [--fork] [--cfg job] [--config-dir DIR] [--allow-pipe]"
    parser.epilog = epilog()
    parser.add_argument("overrides", nargs="*", metavar="option=value", help="see below")
    parser.add_argument("-m", "--multirun", action="store_true", help="a sweep: several values, one run each")
    parser.add_argument("--fork", action="store_true", help="with resume=: a new run from that run's weights")
    parser.add_argument("-c", "--cfg", choices=("job", "hydra", "all"), help="print the configuration and stop")
    parser.add_argument("--config-dir", type=Path, metavar="DIR", help="your own conf folder, searched first")
    parser.add_argument("--allow-pipe", action="store_true", help="let data.path run shell commands (pipe:...)")


def run(args: Any) -> int:
    atexit.register(ignore)  # runs last: the exit code stands by then
    logging.raiseExceptions = args.debug  # a full disk: each line for train.log would be a traceback
    with engine(args.config_dir) as hydra:
        overrides = repaired(hydra.config_loader, args.overrides, sweep=args.multirun)
        if args.fork and args.multirun:
            raise UserError("--fork starts one run, so it cannot be combined with -m; fork=MODEL can")
        if not args.multirun:
            _check_single(overrides)
            return _single(hydra, args, overrides)
        from brushnet.commands.sweep import sweep

        return sweep(hydra, args, overrides)


def _check_single(overrides: list[str]) -> None:
    for text in overrides:
        key, _, value = text.partition("=")
        if (key == "sweep" and value != "null") or (key == "launcher" and value != "local"):
            raise UserError(f"{text} is for a sweep, which needs -m: brushnet train -m {text} ...")


def _single(hydra: Any, args: Any, overrides: list[str]) -> int:
    cfg, settings = split(compose_all(hydra, overrides))
    run_dir, checkpoint = _folder(settings.run.dir), None
    if args.fork:
        cfg, run_dir = _forked(hydra, cfg, overrides)
    elif cfg.resume is not None:
        cfg, run_dir, checkpoint = _resumed(cfg, overrides)
    if args.cfg == "job":
        print(to_yaml(cfg), end="")
        return 0
    if args.cfg:
        hydra.show_cfg(CONFIG_NAME, overrides, cfg_type=args.cfg, package=None)
        return 0
    check_cluster(cfg.trainer.devices)
    if checkpoint is None and rank() == 0 and holds_run(run_dir):
        raise UserError(
            f"{run_dir} already holds a run: resume={run_dir} continues it, hydra.run.dir=DIR starts another"
        )
    job = Job(
        cfg,
        checkpoint,
        allow_pipe=args.allow_pipe,
        debug=args.debug,
        overrides=tuple(args.overrides),
        config_dir=args.config_dir,
        existing=existing(run_dir),
        fork=args.fork,
    )
    # The folder is given by name, or a clock that moved on since the check would choose another.
    return hydra.run(CONFIG_NAME, job, [*overrides, f"hydra.run.dir={quote(run_dir)}"]).return_value


def _folder(path: str) -> Path:
    return Path(os.path.expanduser(path))  # pathlib's own fails for a user who does not exist


def _resumed(asked: Config, overrides: list[str]) -> tuple[Config, Path, Path | None]:
    from brushnet.config.overrides import keys
    from brushnet.config.resumed import continued

    run_dir, checkpoint = locate(str(asked.resume))
    if rank() > 0:  # Lightning adds the folder that rank 0 has chosen to the command line of the others
        overrides = [text for key, text in zip(keys(overrides), overrides, strict=True) if key != "hydra.run.dir"]
    return continued(run_dir, asked, overrides), run_dir, checkpoint


def _forked(hydra: Any, asked: Config, overrides: list[str]) -> tuple[Config, Path]:
    """Configuration and folder of a new run. UserError where that folder would be in the run it starts from."""
    from brushnet.config.resumed import forked

    if asked.resume is None:
        raise UserError("--fork needs resume=RUN_OR_CKPT, the run whose weights and configuration the new one takes")
    origin, checkpoint = locate(asked.resume)
    cfg = forked(origin, checkpoint, asked, overrides)
    named_after = f"style.files=[{','.join(map(quote, cfg.style.files))}]"  # as the folder is
    run_dir = _folder(split(compose_all(hydra, [*overrides, named_after]))[1].run.dir)
    if origin.resolve() in (run_dir.resolve(), *run_dir.resolve().parents):
        raise UserError(f"--fork writes nothing into {origin}, got hydra.run.dir={run_dir}; give another folder")
    return cfg, run_dir
