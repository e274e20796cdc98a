"""Modules that torch scripted, exported or compiled, and forwards of other signatures."""

import numpy as np
import pytest
import torch
from torch import nn

from brodmann.errors import UserError
from brodmann.models import ImagePreprocessing, LanguageModel, VisionModel
from brodmann.models.extraction.signature import Arguments, arguments_of

SMALL = ImagePreprocessing(8)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 3)
        self.rest = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3))

    def forward(self, x):
        return self.rest(self.first(x))


def vision(module, layers=("first", "rest.1"), **options):
    return VisionModel(module, identifier="net", preprocess=SMALL, layers=layers, cache=False, **options)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make", [torch.jit.script, lambda net: torch.jit.trace(net, torch.zeros(2, 3, 8, 8))]
)
def test_torchscript_is_one_line_that_says_what_works(make, pictures):
    net = Net().eval()
    scripted = make(net)
    with pytest.raises(
        UserError, match="net: TorchScript runs its inner modules out of reach: give the torch.nn.Mod"
    ):
        vision(scripted)
    again = Net()
    again.load_state_dict(scripted.state_dict())  # as the line says
    assert vision(again).extract(pictures)

    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.end = scripted, nn.Flatten()

        def forward(self, x):
            return self.end(self.inner(x))

    around = vision(Around(), ["end"])
    assert around.extract(pictures)["end"].shape == (7, 80)
    assert around.every_layer() == ["end"]
    assert vision(Around(), None).layers == ["end"]
    with pytest.raises(
        UserError, match="'inner' of net is TorchScript, which runs out of reach: choose a layer"
    ):
        vision(Around(), ["inner"])


@pytest.mark.filterwarnings("ignore")
def test_an_exported_program_is_read_like_what_it_was_made_of(pictures):
    net = Net().eval()
    shape = {"x": {0: torch.export.Dim("batch", min=1)}}
    program = torch.export.export(net, (torch.zeros(2, 3, 8, 8),), dynamic_shapes=shape)
    expected = vision(net).extract(pictures)
    for given in (program, torch.export.unflatten(program)):
        found = vision(given, batch_size=3)
        for name, values in found.extract(pictures).items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6)
        assert found.every_layer() == ["first", "rest.0", "rest.1", "rest"]
        assert found.digest == vision(given).digest

    class Other(Net):
        def forward(self, x):
            return super().forward(x) * 2

    other = torch.export.export(Other().eval(), (torch.zeros(2, 3, 8, 8),), dynamic_shapes=shape)
    assert vision(other).digest != vision(program).digest
    traced = [vision(torch.fx.symbolic_trace(one.eval())).digest for one in (Net(), Net(), Other())]
    assert traced[0] == traced[1] != traced[2]
    with pytest.raises(
        UserError, match="net: the module of an exported program is flat .* give the program itself"
    ):
        vision(program.module())
    fixed = torch.export.export(net, (torch.zeros(2, 3, 8, 8),))
    with pytest.raises(UserError, match="the forward pass of .* failed"):
        vision(fixed).extract(pictures)


@pytest.mark.filterwarnings("ignore")
def test_what_torch_compiled_is_read_like_what_it_was_made_of(pictures):
    expected = vision(Net()).extract(pictures)
    whole = torch.compile(Net())
    in_place = Net()
    in_place.compile()
    part = Net()
    part.rest = torch.compile(part.rest)
    for module, layers in (
        (whole, ["first", "rest.1"]),
        (in_place, ["first", "rest.1"]),
        (part, ["first", "rest._orig_mod.1"]),
    ):
        found = vision(module, layers).extract(pictures)
        for name, other in zip(layers, expected, strict=True):
            np.testing.assert_allclose(found[name], expected[other], rtol=1e-5, atol=1e-6)


# Signatures


def read(text):
    return {"input_ids": list(text.encode())}


def forward(parameters, body):
    """A language module with these parameters."""
    names = {}
    exec(f"def forward(self, {parameters}):\n    return self.embed({body})", names)
    made = type("Made", (nn.Module,), {"forward": names["forward"]})()
    torch.manual_seed(0)
    made.embed = nn.Embedding(256, 4)
    return made


@pytest.mark.parametrize(
    ("parameters", "body", "said"),
    [
        ("input_ids, attention_mask", "input_ids * attention_mask", None),
        ("input_ids, attention_mask=None, **more", "input_ids * attention_mask", None),
        ("**given", "given['input_ids'] * given['attention_mask']", None),
        ("*args, **given", "given['input_ids'] * given['attention_mask']", None),
        ("idx", "idx", "token ids as idx, no mask of real tokens"),
        ("idx, targets=None", "idx", "token ids as idx, no mask of real tokens"),
        ("targets=None, tokens=None", "tokens", "token ids as tokens, no mask of real tokens"),
        ("x, mask=None", "x * mask", "token ids as x, real tokens as mask"),
        ("src, mask=None, src_key_padding_mask=None", "src * ~src_key_padding_mask * (mask is None)",
         "token ids as src, padding as src_key_padding_mask"),
        ("strange", "strange", "token ids first, no mask of real tokens"),
        ("strange, /", "strange", "token ids first, no mask of real tokens"),
        ("*all", "all[0]", "token ids first, no mask of real tokens"),
        ("state=None, *, input_ids", "input_ids", "token ids as input_ids, no mask of real tokens"),
    ],
)  # fmt: skip
def test_token_ids_go_to_the_argument_that_means_them(parameters, body, said, sentences):
    model = LanguageModel(forward(parameters, body), read, identifier="made", layers=["embed"], cache=False)
    last = torch.tensor([read(text)["input_ids"][-1] for text in sentences["sentence"]])
    np.testing.assert_array_equal(model.extract(sentences)["embed"], model.module.embed(last).detach())
    assert model.methods.get("arguments") == said


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("self, x", Arguments(None)),
        ("self, pixel_values=None, labels=None", Arguments(None)),
        ("self, input_ids=None, pixel_values=None", Arguments("pixel_values")),
        ("self, strange", Arguments(None)),
        ("self, *given", Arguments(None)),
        ("self, labels=None, *, images", Arguments("images")),
    ],
)
def test_pixels_go_to_the_argument_that_means_them(parameters, expected):
    names = {}
    exec(f"def forward({parameters}): pass", names)
    assert (
        arguments_of(type("Made", (nn.Module,), {"forward": names["forward"]})(), "pixel_values") == expected
    )


@pytest.mark.parametrize("parameters", ["self, x, step", "self, images, *, condition", "self, a, b", "self"])
def test_a_forward_that_needs_more_is_one_line(parameters, pictures):
    names = {}
    exec(f"def forward({parameters}): return 0", names)
    module = type("Made", (nn.Module,), {"forward": names["forward"]})()
    module.part = nn.Identity()
    with pytest.raises(
        UserError, match="the forward of Made (needs '.*' besides|takes no) pixels: wrap it in a torch"
    ):
        vision(module, ["part"]).extract(pictures)
