"""Model names that lead somewhere, and the line for those that do not."""

import io
import json
import pickle
import sys
from pathlib import Path

import pytest
import torch

from brodmann import UserError, load_model
from brodmann.errors import NotAvailableError
from brodmann.models import list_models
from brodmann.models.catalogue import MODELS, SCHEMES, KnownModel, ModelCard, Scheme
from brodmann.models.weights.state_dict import read_weights


def test_every_baseline_loads_and_keeps_what_its_card_says():
    for card in list_models():
        if not card.files:
            model = load_model(card.identifier)
            assert model.identifier == card.identifier
            assert model.modality == card.modality
            assert model.layers == list(card.layers)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gabor-pyramyd", "unknown model 'gabor-pyramyd': did you mean 'gabor-pyramid'"),
        ("hf:", "'hf:' names no model: write hf:NAME"),
        ("hff:gpt2", "unknown kind of model 'hff': did you mean 'hf'"),
        ("hf:/nowhere/at/all", "no folder /nowhere/at/all: expected hf:FOLDER or hf:ORG/NAME"),
        ("hf:nobody/nothing", "hf:nobody/nothing cannot be loaded"),
        ("nowhere.py:make", "no file nowhere.py: expected path/to/file.py:factory"),
        ("nowhere.py", "'nowhere.py' names no function: write nowhere.py:FACTORY"),
    ],
)
def test_names_that_lead_nowhere(name, message):
    with pytest.raises(UserError, match=message):
        load_model(name)


def test_weights_that_are_not_installed_say_how_to_add_them(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path))
    with pytest.raises(NotAvailableError, match="brodmann models add squeezenet1_0 --from FOLDER"):
        load_model("squeezenet1_0")


def test_a_folder_is_pointed_to_its_scheme(tmp_path):
    with pytest.raises(UserError, match="is a folder: for a Hugging Face model write hf:"):
        load_model(str(tmp_path))
    with pytest.raises(UserError, match="holds no config.json"):
        load_model(f"hf:{tmp_path}")


def test_code_beside_the_weights_is_never_run_nor_asked_about(tmp_path, monkeypatch, capsys):
    trace = tmp_path / "it-ran"
    (tmp_path / "evil.py").write_text(f"open({str(trace)!r}, 'w')\n")
    config = {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    with pytest.raises(NotAvailableError, match="cannot be loaded .*custom code"):
        load_model(f"hf:{tmp_path}")
    assert not trace.exists()
    assert "[y/N]" not in capsys.readouterr().out


FACTORIES = """
import torch
from brodmann.models import VisionModel, ImagePreprocessing

class Mine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.only = torch.nn.Flatten()
    def forward(self, x):
        return self.only(x)

def good():
    return VisionModel(Mine(), identifier="mine", preprocess=ImagePreprocessing(4), layers=["only"])

def bare():
    return Mine()

def wrong():
    return 7

def broken():
    raise KeyError("weights")

def leaves():
    raise SystemExit(0)
"""


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "my_models.py"
    path.write_text(FACTORIES)
    return path


def test_a_factory_of_ones_own(file):
    model = load_model(f"{file}:good")
    assert model.layers == ["only"]
    assert model.digest == load_model(f"{file}:good").digest


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("goood", "unknown function of my_models.py 'goood': did you mean 'good'"),
        ("bare", "gives a bare torch module: wrap it in brodmann.models.VisionModel"),
        ("wrong", "must give a brodmann Model, not int"),
        ("broken", "broken\\(\\) of my_models.py failed: KeyError: 'weights'"),
        ("leaves", "leaves\\(\\) of my_models.py failed: SystemExit: 0"),
    ],
)
def test_factories_that_go_wrong(file, factory, message):
    with pytest.raises(UserError, match=message):
        load_model(f"{file}:{factory}")


@pytest.mark.parametrize("name", ["guest", "guests:one"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise KeyError('weights')", "failed: KeyError: 'weights'"),
        ("return 7", "must give a brodmann Model, not int"),
    ],
)
def test_a_model_of_another_package_that_goes_wrong_is_one_line_that_names_it(
    name, body, message, monkeypatch
):
    space = {"__name__": "guest_package.models"}
    exec(f"def make(_):\n    {body}", space)
    card = ModelCard("guest", "a guest", "vision", "baseline", ("0",))
    assert "pixels" in MODELS
    assert "hf" in SCHEMES
    for registry, thing in (
        (MODELS, KnownModel(card, space["make"])),
        (SCHEMES, Scheme("NAME", space["make"])),
    ):
        monkeypatch.setattr(registry, "_things", dict(registry._things))
        monkeypatch.setattr(registry, "_origins", dict(registry._origins))
        registry.register("guest" if registry is MODELS else "guests", thing, "guest_package.models")
    with pytest.raises(UserError, match=f"the model '{name}' of guest_package.models {message}"):
        load_model(name)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("import nothing_of_that_name\n", "ModuleNotFoundError"), ("raise SystemExit\n", "SystemExit")],
)
def test_a_file_that_does_not_run(tmp_path, text, kind):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(UserError, match=f"failed when it was run: {kind}"):
        load_model(f"{path}:make")


@pytest.mark.parametrize("scheme", ["timm", "torchvision"])
def test_a_missing_extra_says_what_to_install(scheme, monkeypatch):
    monkeypatch.setitem(sys.modules, scheme, None)
    with pytest.raises(UserError, match=r"pip install 'brodmann\[timm\]'"):
        load_model(f"{scheme}:resnet18")


def test_a_torchvision_that_does_not_fit_this_torch_says_what_to_install(tmp_path, monkeypatch):
    """The CUDA build beside a CPU torch raises RuntimeError, not ImportError."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(NotAvailableError, match=r"pip install 'brodmann\[timm\]'"):
        load_model("torchvision:resnet18")


class Touch:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_pickle_that_is_not_weights_is_refused_and_runs_nothing(tmp_path):
    path, trace = tmp_path / "weights.pt", tmp_path / "it-ran"
    path.write_bytes(pickle.dumps({"state_dict": Touch(trace)}))
    with pytest.raises(UserError, match=r"could execute code: refused|damaged or not a torch file"):
        read_weights(path)
    torch.save({"state_dict": Touch(trace)}, path)
    with pytest.raises(UserError, match="could execute code: refused"):
        read_weights(path)
    assert not trace.exists()


def test_files_of_weights_that_are_none(tmp_path):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(UserError, match="no weights at"):
        read_weights(path)
    path.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00nonsense")
    with pytest.raises(UserError, match="is not a readable safetensors file"):
        read_weights(path)
    other = tmp_path / "weights.pt"
    other.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(UserError, match=r"damaged or not a torch file|refused"):
        read_weights(other)
    torch.save({"epoch": 3}, other)
    with pytest.raises(UserError, match="holds no tensors"):
        read_weights(other)
    torch.save([1, 2], other)
    with pytest.raises(UserError, match="holds a list, not a table of weights"):
        read_weights(other)


def test_prefixes_of_wrapped_modules_are_taken_off(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"model": {"_orig_mod.a": torch.ones(2), "_orig_mod.b": torch.zeros(1)}}, path)
    assert set(read_weights(path)) == {"a", "b"}
