"""Models as Brain-Score plugins: what is written, what is checked, what is refused."""

import importlib
import importlib.util
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from plugin_cases import TWIN, failures, needs_brainscore, scored
from safetensors.torch import load

import brodmann
from brodmann import UserError
from brodmann.bench.brainscore_plugins import check_plugin, packing, write_model_plugin
from brodmann.bench.brainscore_plugins.check.zip_rules import zip_rules
from brodmann.bench.brainscore_plugins.network_source import network_source
from brodmann.bench.brainscore_plugins.packing import given_name, literal, plugin_name
from brodmann.bench.brainscore_plugins.region_map import region_map
from brodmann.bench.brainscore_plugins.vision_content import vision_part
from brodmann.models import ImagePreprocessing, Lesion, VisionModel, lesioned
from brodmann.models.architectures.cifar_resnet import CifarResNet
from brodmann.models.architectures.mlp import MLP
from brodmann.models.architectures.mobilenet import MobileNetV2
from brodmann.models.architectures.resnet import BasicBlock, Bottleneck, ResNet
from brodmann.models.architectures.squeezenet import SqueezeNet


def test_the_folder_and_the_zip_are_what_brain_score_takes(written):
    assert written.identifier == "twin_vision_topographic"
    assert written.plugin == written.root / "models" / written.identifier
    names = {
        path.relative_to(written.plugin).as_posix() for path in written.plugin.rglob("*") if path.is_file()
    }
    own = f"region_layer_map/{written.identifier}.json"
    assert names == {
        "__init__.py", "model.py", "test.py", "requirements.txt", "network.py", "weights.safetensors", "expected.json",
        "metadata.yml", own,
    }  # fmt: skip
    lines = (written.plugin / "__init__.py").read_text().splitlines()
    assert sum("model_registry['twin_vision_topographic']" in line for line in lines) == 1
    assert json.loads((written.plugin / own).read_text()) == {"IT": "layer3.0", "V1": "layer1.0.conv1"}
    assert "brodmann" not in (written.plugin / "requirements.txt").read_text()
    with zipfile.ZipFile(written.archive) as opened:
        packed = set(opened.namelist())
    root = f"{written.identifier}/models/{written.identifier}/"
    assert packed == {
        f"{written.identifier}/", f"{written.identifier}/models/", root, f"{root}region_layer_map/",
        *(root + name for name in names - {"metadata.yml"}),
    }  # fmt: skip
    said = "\n".join(written.notes)
    assert "'twin-vision-topographic' is called 'twin_vision_topographic'" in said
    assert "Brain-Score will choose the layer of V2, V4" in said


def test_the_metadata_says_what_is_known_and_null_for_the_rest(twin, written):
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with brainscore-core")
    entry = yaml.safe_load((written.plugin / "metadata.yml").read_text())["models"][written.identifier]
    assert entry["total_parameter_count"] == sum(one.numel() for one in twin.module.parameters())
    assert entry["training_dataset"] is None
    assert entry["architecture"] is None


@needs_brainscore
def test_a_plugin_passes_every_check_with_brodmanns_own_activations(twin, written):
    report = check_plugin(written, twin)
    assert report.passed, report.text()
    assert "stand-in for brainscore_vision" in report.package
    [compared] = [check for check in report.checks if "activations" in check.name]
    assert compared.detail.startswith("2 layers, 4 stimuli, largest relative difference")
    assert "2 tests" in report.checks[-1].detail


@needs_brainscore
def test_a_plugin_that_sees_pictures_otherwise_fails_every_comparison(twin, written, tmp_path):
    copy = _copy(written, tmp_path)
    source = copy / "models" / written.identifier / "model.py"
    source.write_text(source.read_text().replace("MEAN, STD = [0.5,", "MEAN, STD = [0.4,"))
    found = failures(check_plugin(copy, twin))
    assert "model.py" in found["zip: it holds the folder's files"]
    assert "differs by" in found["its layers give brodmann's activations"]
    assert "AssertionError" in found["its own test passes"]


@needs_brainscore
def test_a_plugin_that_hangs_or_breaks_is_a_failed_check(written, tmp_path):
    copy = _copy(written, tmp_path)
    source = copy / "models" / written.identifier / "model.py"
    kept = source.read_text()
    source.write_text("import time\ntime.sleep(60)\n" + kept)
    found = failures(check_plugin(copy, time_limit=5))
    assert found["it runs to the end"] == "it did not finish within 5 s"
    source.write_text("raise RuntimeError('no such thing')\n")
    found = failures(check_plugin(copy))
    assert "no such thing (model.py, line 1)" in found["it is imported and registered"]


def _copy(written, folder):
    copy = folder / written.identifier
    with zipfile.ZipFile(written.archive) as opened:
        opened.extractall(folder)
    (folder / written.archive.name).write_bytes(written.archive.read_bytes())
    return copy


BROKEN = {
    "one root folder": lambda names: {**names, "other/": b""},
    "folders have entries of their own": lambda names: {k: v for k, v in names.items() if not k.endswith("models/m/")},
    "no spaces in names": lambda names: {**names, "m/models/m/my notes.txt": b""},
    "no metadata.yml": lambda names: {**names, "m/models/m/metadata.yaml": b""},
    "one plugin, with __init__.py and test.py": lambda names: {k: v for k, v in names.items() if "test" not in k},
    "one identifier, without hyphens": lambda names: {
        **names, "m/models/m/__init__.py": b"model_registry['my-model'] = f"
    },
    "nothing leaves the folder": lambda names: {**names, "m/models/m/../../../up.py": b""},
}  # fmt: skip


@pytest.mark.parametrize("rule", BROKEN)
def test_every_rule_of_the_form_is_seen_where_it_is_broken(rule, tmp_path):
    sound = {"m/": b"", "m/models/": b"", "m/models/m/": b"", "m/models/m/test.py": b""}
    sound["m/models/m/__init__.py"] = b"model_registry['m'] = f"
    _zipped(tmp_path / "sound.zip", sound)
    assert not any(zip_rules(tmp_path / "sound.zip").values())
    _zipped(tmp_path / "broken.zip", BROKEN[rule](sound))
    assert zip_rules(tmp_path / "broken.zip")[rule]


def test_a_zip_that_is_absent_or_damaged_is_said(tmp_path):
    (tmp_path / "no.zip").write_bytes(b"not a zip")
    for name in ("no.zip", "absent.zip"):
        assert zip_rules(tmp_path / name)["the zip can be read"]


def _zipped(path, names):
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in names.items():
            opened.writestr(name, content)


NETWORKS = {
    "cifar": lambda: CifarResNet(5),
    "mlp": lambda: MLP((784, 20, 30, 10)),
    "mobilenet": MobileNetV2,
    "squeezenet": SqueezeNet,
    "resnet": lambda: ResNet(BasicBlock, (2, 1, 1, 1), widths=(8, 8, 16, 32), n_classes=7, stem="small"),
    "slim": lambda: ResNet(
        BasicBlock, (1, 1, 1, 2), widths=(16, 16, 32, 32), n_classes=3, inner=(4, 5, 6, 7)
    ),
    "blurred": lambda: ResNet(Bottleneck, (1, 2, 1, 1), widths=(16, 16, 32, 32), n_classes=5, blurred=True),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_is_made_again_from_its_source_and_weights(kind):
    torch.manual_seed(0)
    network = NETWORKS[kind]().eval()
    source = network_source(network, kind)
    spec = importlib.util.spec_from_file_location(f"copied_{kind}", source.file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    again = eval(source.constructor, {name: getattr(module, name) for name in source.names}).eval()
    again.load_state_dict(load(source.weights))
    picture = torch.randn(2, 3, 28 if kind == "mlp" else 64, 28 if kind == "mlp" else 64)
    with torch.no_grad():
        assert torch.equal(network(picture), again(picture))


def test_the_layer_with_more_stimuli_is_taken_and_the_other_said(twin):
    few = scored(twin, "hIT", "layer2.0", n_stimuli=92, benchmark="small.hIT-rsa")
    many = scored(twin, "IT", "layer4.0", n_stimuli=300, benchmark="large.IT-pls")
    for records in ([few, many], [many, few]):
        chosen = region_map(records, "vision")
        assert chosen.layers == {"IT": "layer4.0"}
        assert chosen.notes == (
            "IT: layer4.0 (large.IT-pls, 300 stimuli) was taken, not layer2.0 (small.hIT-rsa, 92 stimuli)",
        )


def test_simulated_data_choose_a_layer_only_where_nothing_else_does_and_it_is_said(twin):
    made_up = scored(twin, "IT", "layer1.0", simulated=True, n_stimuli=9999)
    real = scored(twin, "IT", "layer4.0", n_stimuli=10)
    assert region_map([made_up, real], "vision").layers == {"IT": "layer4.0"}
    chosen = region_map([made_up], "vision")
    assert chosen.layers == {"IT": "layer1.0"}
    assert "simulated data" in chosen.notes[0]


def test_regions_that_brain_score_does_not_know_name_no_layer(twin):
    chosen = region_map([scored(twin, "FFA")], "vision")
    assert chosen.layers == {}
    assert "no region FFA" in chosen.notes[0]
    whole, part = scored(twin, "netw", "late", n_stimuli=10), scored(twin, "IFG", "early", n_stimuli=20)
    assert region_map([part, whole], "language").layers == {"language_system": "late"}


@pytest.mark.parametrize(
    "name",
    ["../up", "a/b", "a\\b", "", ".hidden", "__init__", "a b", "it's", 'x"] = 1', "a\nb", "é", "x" * 101],
)
def test_hostile_names_are_refused(name, twin, tmp_path):
    with pytest.raises(UserError, match="a plugin cannot be called|is longer than") as said:
        write_model_plugin([scored(twin)], twin, tmp_path, identifier=name)
    assert "\n" not in str(said.value)
    assert list(tmp_path.iterdir()) == []


def test_names_lose_their_hyphens():
    assert plugin_name("hf:org/my-model v2") == "hf_org_my_model_v2"
    assert given_name("my-model.v2") == "my_model_v2"
    with pytest.raises(UserError, match="no letter or digit"):
        plugin_name("---")


@pytest.mark.parametrize(
    "text", ["it's", 'a "quote"', "two\nlines", '"""\nimport os', "back\\slash", "$PLACE {x}"]
)
def test_texts_go_into_python_as_themselves(text):
    assert eval(literal(text)) == text
    assert eval(literal([text, None, 0.5])) == [text, None, 0.5]
    assert "\n" not in literal(text)


REFUSED = {
    "twin-language-topographic": "averages over a text's tokens",
    "gabor-pyramid": "is a GaborPyramid, whose source brodmann cannot copy",
    "simulated-truth": "is no network of torch",
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_cannot_be_taken_along_say_why(name, tmp_path):
    model = brodmann.load_model(name)
    with pytest.raises(UserError, match=REFUSED[name]):
        write_model_plugin([scored(model, "netw")], name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_records_must_be_of_this_very_model(twin, tmp_path):
    cases = {
        "holds no score of": [],
        "not of 'twin-vision-topographic'": [scored(twin) | {"model": "other"}],
        "scored with other weights": [scored(twin) | {"provenance": {"model_digest": "0"}}],
        "with lesions": [scored(twin, lesions=1)],
    }
    for message, records in cases.items():
        with pytest.raises(UserError, match=message):
            write_model_plugin(records, twin, tmp_path)
    pooled = scored(twin, reading="mean over space") | {"provenance": {"model_digest": "0"}}
    assert any("its score will differ" in note for note in write_model_plugin([pooled], twin, tmp_path).notes)


def test_what_has_no_source_is_refused_with_what_would_work(twin, tmp_path):
    bare = VisionModel(
        torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)), identifier="bare", preprocess=lambda _: _
    )
    with pytest.raises(UserError, match=r"Sequential.*file\.py:factory"):
        vision_part(bare, "bare")
    own = VisionModel(CifarResNet(1), identifier="own", preprocess=lambda _: torch.zeros(3, 32, 32))
    with pytest.raises(UserError, match=r"use brodmann\.models\.ImagePreprocessing"):
        vision_part(own, "own")


def test_nothing_is_overwritten_and_nothing_is_left_behind(twin, tmp_path, monkeypatch):
    (tmp_path / "twin_vision_topographic").mkdir()
    with pytest.raises(UserError, match="is there already"):
        write_model_plugin([scored(twin)], twin, tmp_path)
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="cannot make .*; name another folder"):
            write_model_plugin([scored(twin)], twin, folder)
    monkeypatch.setattr(packing.os, "access", lambda *_: False)  # root may write whatever the mode says
    with pytest.raises(UserError, match="may not be written"):
        write_model_plugin([scored(twin)], twin, tmp_path / "read-only")
    monkeypatch.undo()
    monkeypatch.setattr(packing, "MOST_BYTES", 1000)
    with pytest.raises(UserError, match="more than the 0 MB that a plugin may"):
        write_model_plugin([scored(twin)], twin, tmp_path / "new")
    monkeypatch.undo()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packing, "_zip", full)
    with pytest.raises(UserError, match="No space left"):
        write_model_plugin([scored(twin)], twin, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


OWN = """
import torch
from brodmann.models import ImagePreprocessing, VisionModel


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second = torch.nn.Conv2d(3, 4, 5, 2), torch.nn.Linear(4, 6)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)).mean((2, 3)))


def make():
    return VisionModel(Small(), identifier="it's \\"mine\\"", preprocess=ImagePreprocessing(24, resize=30))
"""


@needs_brainscore
def test_ones_own_file_is_taken_along_and_asks_for_brodmann(tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    name = f"{tmp_path / 'mine.py'}:make"
    model = brodmann.load_model(name)
    files = write_model_plugin([scored(model, "IT", "first")], name, tmp_path / "out")
    assert files.identifier == "it_s_mine"
    assert "brodmann" in (files.plugin / "requirements.txt").read_text().split()
    assert any("asks for brodmann itself" in note for note in files.notes)
    report = check_plugin(files, model)
    assert report.passed, report.text()
    with pytest.raises(UserError, match=r"give its name, path/to/file\.py:factory"):
        write_model_plugin([scored(model, "IT", "first")], model, tmp_path / "again")


def test_hub_packages_load_their_own_weights(monkeypatch):
    network = torch.nn.Identity()
    model = VisionModel(CifarResNet(1), identifier="timm:small", preprocess=ImagePreprocessing(32))
    made = {
        "timm": {"create_model": lambda name, pretrained: (network, name, pretrained)[0]},
        "timm.data": {"create_transform": lambda **_: "seen", "resolve_model_data_config": lambda _: {}},
        "torchvision": {
            "models": SimpleNamespace(
                get_model_weights=lambda name: SimpleNamespace(
                    DEFAULT=SimpleNamespace(transforms=lambda: "seen")
                ),
                get_model=lambda name, weights: network,
            )
        },
    }
    for name, content in made.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("timm:small", "torchvision:small"):
        part = vision_part(model, name)
        names = {}
        exec(f"{part.imports}\n{part.own_imports}\n{part.code}", names)
        assert names["network_and_preprocess"]() == (network, "seen")
        assert name.split(":")[0] in part.requirements
        assert "downloads them" in part.notes[0]


def test_a_lesioned_network_stays_at_home(twin):
    with pytest.raises(UserError, match="lesions"):
        vision_part(lesioned(twin, Lesion("layer3.0", [0, 1])), TWIN)


def test_a_folder_without_a_plugin_is_said(tmp_path):
    with pytest.raises(UserError, match="holds 0 plugins"):
        check_plugin(tmp_path)
    with pytest.raises(UserError, match="is no Python that answers"):
        check_plugin(_made(tmp_path), python=tmp_path / "absent")


def _made(folder):
    plugin = folder / "m" / "models" / "m"
    plugin.mkdir(parents=True)
    (plugin / "__init__.py").write_text(
        "from brainscore_vision import model_registry\nmodel_registry['m'] = 1\n"
    )
    return folder / "m"


@needs_brainscore
def test_a_causal_transformer_becomes_a_subject(stories, tmp_path):
    model = brodmann.load_model(stories)
    record = scored(model, "netw", "layers.2")
    files = write_model_plugin([record], stories, tmp_path, identifier="stories")
    assert files.layers == {"language_system": "model.layers.2"}
    assert (files.plugin / "weights" / "model.safetensors").stat().st_size > 1e6
    report = check_plugin(files, model)
    assert report.passed, report.text()
    assert "1 layers, 2 stimuli" in report.text()
    with pytest.raises(UserError, match=r"score it on one first, e\.g\. brodmann score"):
        write_model_plugin([scored(model, "FFA", "layers.2")], model, tmp_path, identifier="other")


def test_a_model_of_the_hub_is_named_not_copied(stories, tmp_path):
    model = brodmann.load_model(stories)
    model.module.config.name_or_path = "org/it's-tiny"
    files = write_model_plugin([scored(model, "netw", "layers.2")], model, tmp_path, metadata=True)
    assert not (files.plugin / "weights").exists()
    assert 'MODEL_ID = "org/it\'s-tiny"\n' in (files.plugin / "model.py").read_text()
    assert (
        'huggingface_link: "https://huggingface.co/org/it\'s-tiny"'
        in (files.plugin / "metadata.yml").read_text()
    )
    assert any("downloads org/it's-tiny from the hub" in note for note in files.notes)
    model.module.config.model_type = "vit"
    with pytest.raises(UserError, match="reads causal models alone"):
        write_model_plugin([scored(model, "netw", "layers.2")], model, tmp_path, identifier="other")


def test_pictures_are_seen_as_brodmann_sees_them(written, twin, tmp_path):
    """Sixteen bits a pixel, which PIL alone would clip."""
    deep = (np.arange(64 * 48).reshape(64, 48) * 21).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    names = {}
    code = (written.plugin / "model.py").read_text()
    start = code.index("def read_picture")
    exec("import numpy as np\nfrom PIL import Image\n" + code[start : code.index("def get_layers")], names)
    seen = np.asarray(names["read_picture"](tmp_path / "deep.png"))
    assert seen[..., 0] == pytest.approx(deep // 257)
    assert Path(written.archive).is_file()
