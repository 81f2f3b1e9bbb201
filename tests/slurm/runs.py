"""The smallest training of what ships with brushnet."""

SMALL = [
    *("trainer.accelerator=cpu", "trainer.max_steps=4", "trainer.batch_size=2", "trainer.crop_px=64"),
    *("lossnet=compact", "loss.pyramid_levels=2", "loss.content_level=1", "net.width=4", "net.blocks=1"),
    *("style.reference_px=96", "style.bank_step_octaves=1", "stroke.min=0.5", "stroke.max=1"),
    *("data.workers=0", "data.val_photos=2"),
]
PATIENCE_SECONDS = 600  # 10 to 40 are usual, where nothing else runs
