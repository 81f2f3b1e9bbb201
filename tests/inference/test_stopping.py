import threading

import pytest
import torch

from brushnet.errors import Stopped
from brushnet.inference.stopping import stoppable


def test_a_network_stops_between_its_layers_and_is_as_before_afterwards(model):
    stop, photo = threading.Event(), torch.rand(1, 3, 16, 16)
    before = model(photo)
    with stoppable(model.net, stop):
        assert torch.equal(model(photo), before)
        passed = []
        hooks = [layer.register_forward_hook(lambda *_: passed.append(1)) for layer in model.net.modules()]
        hooks.append(model.net.down[0].register_forward_hook(lambda *_: stop.set()))  # in the middle of a picture
        with pytest.raises(Stopped):
            model(photo)
        assert len(passed) < len(hooks) / 2
        for hook in hooks:
            hook.remove()
    assert torch.equal(model(photo), before)
    assert not any(layer._forward_pre_hooks for layer in model.net.modules())
