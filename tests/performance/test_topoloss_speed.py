"""Value and gradient of the topographic loss, ours and the topoloss package's."""

import warnings

import pytest
import torch
from harness import Work, compare

from brodmann.models.topography.topoloss import TopoLoss

pytestmark = pytest.mark.perf
REPEATS = 10


def gpt():
    """The feed-forward layers of four of nanoGPT's twelve blocks: 3072 units, 768 inputs."""
    torch.manual_seed(0)
    return torch.nn.Sequential(*(torch.nn.Linear(768, 3072, bias=False) for _ in range(4)))


def resnet():
    """The convolutions of a ResNet-18's last group."""
    torch.manual_seed(0)
    return torch.nn.Sequential(*(torch.nn.Conv2d(n, 512, 3, bias=False) for n in (256, 512, 512, 512)))


def ours(net):
    loss = TopoLoss([str(i) for i in range(4)])
    return _run(net, lambda: loss(net))


def theirs(net):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import topoloss
    terms = [
        topoloss.LaplacianPyramid.from_layer(net, one, factor_h=3.0, factor_w=3.0, scale=1.0) for one in net
    ]
    loss = topoloss.TopoLoss(terms)
    return _run(net, lambda: loss.compute(net))


def _run(net, loss):
    for _ in range(REPEATS):
        net.zero_grad()
        value = loss()
        value.backward()
    return [value.item(), *(one.weight.grad.norm().item() for one in net)]


@pytest.mark.parametrize(("name", "make"), [("4 x (3072 x 768)", gpt), ("4 x 512 channels", resnet)])
def test_against_topoloss(name, make, table):
    pytest.importorskip("topoloss", reason="topoloss is not installed: tox -e topoloss shows how")
    row = compare(Work(f"TopoLoss and gradient, {name}", "topoloss 0.0.2", make, ours, theirs, goal=1.0))
    table(row)
    assert row.difference < 1e-5
