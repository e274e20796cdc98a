"""Models and benchmarks as Brain-Score plugins: what is written, what is checked, what is refused."""

import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import netCDF4
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load

import brodmann
from brodmann import UserError
from brodmann.bench import record_of
from brodmann.bench.outcome import Options
from brodmann.bench.plugins import check_plugin, packing, write_benchmark_plugin, write_model_plugin
from brodmann.bench.plugins.installed import put_package
from brodmann.bench.plugins.naming import given_name, plugin_name
from brodmann.bench.plugins.network_source import network_source
from brodmann.bench.plugins.region_map import region_map
from brodmann.bench.plugins.templating import literal
from brodmann.bench.plugins.vision_content import vision_part
from brodmann.bench.plugins.zip_rules import zip_rules
from brodmann.models import ImagePreprocessing, Lesion, VisionModel, lesioned
from brodmann.models.architectures.cifar_resnet import CifarResNet
from brodmann.models.architectures.mlp import MLP
from brodmann.models.architectures.mobilenet import MobileNetV2
from brodmann.models.architectures.resnet import BasicBlock, Bottleneck, ResNet
from brodmann.models.architectures.squeezenet import SqueezeNet

TWIN = "twin-vision-topographic"


def scored(
    model, region="IT", layer="layer3.0", *, simulated=False, n_stimuli=100, benchmark=None, **methods
):
    """A record as far as an export reads it."""
    return {
        "model": model.identifier,
        "benchmark": benchmark or f"data.{region}-ridge",
        "region": region,
        "layer": layer,
        "simulated": simulated,
        "n_stimuli": n_stimuli,
        "methods": methods,
        "provenance": {"model_digest": model.digest},
    }


@pytest.fixture(scope="module")
def twin():
    return brodmann.load_model(TWIN)


@pytest.fixture(scope="module")
def written(twin, tmp_path_factory):
    """The plugin of a twin, whose layers of two regions come from records."""
    records = [scored(twin, "IT", "layer3.0"), scored(twin, "V1", "layer1.0.conv1")]
    return write_model_plugin(records, TWIN, tmp_path_factory.mktemp("plugins"), metadata=True)


def failures(report):
    return {check.name: check.detail for check in report.checks if not check.passed}


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


def test_a_plugin_passes_every_check_with_brodmanns_own_activations(twin, written):
    report = check_plugin(written, twin)
    assert report.passed, report.text()
    assert "stand-in for brainscore_vision" in report.package
    [compared] = [check for check in report.checks if "activations" in check.name]
    assert compared.detail.startswith("2 layers, 4 stimuli, largest relative difference")
    assert "2 tests" in report.checks[-1].detail


def test_a_plugin_that_sees_pictures_otherwise_fails_every_comparison(twin, written, tmp_path):
    copy = _copy(written, tmp_path)
    source = copy / "models" / written.identifier / "model.py"
    source.write_text(source.read_text().replace("MEAN, STD = [0.5,", "MEAN, STD = [0.4,"))
    found = failures(check_plugin(copy, twin))
    assert "model.py" in found["zip: it holds the folder's files"]
    assert "differs by" in found["its layers give brodmann's activations"]
    assert "AssertionError" in found["its own test passes"]


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
    with lesioned(twin, Lesion("layer3.0", [0, 1])), pytest.raises(UserError, match="lesions"):
        vision_part(twin, TWIN)


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


STORIES = "stories260k-llama"


@pytest.fixture
def stories(test_weights):
    return f"hf:{test_weights / STORIES / 'hf'}"


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


CONSTRAINTS = str(Path(__file__).parents[2] / "constraints.txt")
LIGHT = ("result-caching", "opencv-python-headless", "h5py", "psutil", "tqdm")
"""What brainscore_vision imports when a model is loaded, of all that it asks for."""


@pytest.fixture(scope="module")
def clean_python(tmp_path_factory):
    """An environment of Brain-Score's own packages, without brodmann."""
    folder = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    core = ("brainscore-core", "torch", "pillow", "safetensors", "transformers", "scikit-learn")
    _install(python, "-c", CONSTRAINTS, *core, *LIGHT)
    _install(python, "--no-deps", "brainscore-vision==2.4.2", "brainscore-language==2.3.0")
    absent = subprocess.run(
        [python, "-P", "-c", "import brodmann"], capture_output=True, text=True, cwd=folder
    )
    assert "No module named 'brodmann'" in absent.stderr
    return python


def _install(python, *words):
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"Brain-Score's wheels are not to be had: {done.stderr.strip().splitlines()[-1]}")


@pytest.fixture
def vision_python(clean_python):
    """With the scikit-learn that brainscore_vision asks for."""
    _install(clean_python, "scikit-learn<1.6")
    return clean_python


@pytest.fixture
def language_python(clean_python):
    """With the scikit-learn that brainscore_language asks for."""
    _install(clean_python, "-c", CONSTRAINTS, "scikit-learn>=1.6")
    return clean_python


@pytest.mark.slow
def test_brain_score_itself_loads_the_plugin_and_gives_the_reported_score(
    vision_python, test_weights, test_data, tmp_path
):
    brodmann.models.add_model("cifar10-resnet20", test_weights / "cifar10-resnets")
    brodmann.brain_data.add_dataset("kriegeskorte2008", test_data / "kriegeskorte2008-92")
    model, benchmark = (
        brodmann.load_model("cifar10-resnet20"),
        brodmann.load_benchmark("kriegeskorte2008.hIT-rsa"),
    )
    score = brodmann.score(model, benchmark, n_bootstraps=20, n_permutations=19)
    files = write_model_plugin([record_of(score)], model, tmp_path)
    layer = score.attrs["layer"]
    assert files.layers == {"IT": layer}
    report = check_plugin(files, model, python=vision_python)
    assert report.passed, report.text()
    assert report.package == "brainscore_vision 2.4.2"
    ids = benchmark.recording.stimulus_ids.tolist()
    shown = [str(benchmark.dataset.stimuli.stimulus_paths[one]) for one in ids]
    values = _recorded_by_brain_score(vision_python, files, "IT", shown, tmp_path)
    own = model.extract(benchmark.dataset.stimuli, [layer])[layer]
    own = own.values[[own["stimulus_id"].values.tolist().index(one) for one in ids]]
    difference = np.abs(values - own).max() / np.abs(own).max()
    options = Options(n_bootstraps=0, n_permutations=0)
    outcome = benchmark.metric.evaluate({layer: values}, benchmark.recording, benchmark.limit, options)
    print(f"92 pictures, {layer}: relative difference {difference:.1e}, raw {outcome.raw:.10f}, "
          f"brodmann's layer curve {score.attrs['layers'][layer]:.10f}")  # fmt: skip
    assert difference <= 1e-5
    assert outcome.layers[layer] == pytest.approx(score.attrs["layers"][layer], abs=1e-6)


RECORD = """
import json, sys
import numpy as np, pandas as pd
import brainscore_vision
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet
identifier, region, shown, out = sys.argv[1:]
paths = {str(i): path for i, path in enumerate(json.loads(shown))}
stimuli = StimulusSet(pd.DataFrame({"stimulus_id": list(paths)}))
stimuli.stimulus_paths, stimuli.identifier = paths, "shown"
model = brainscore_vision.load_model(identifier)
model.start_recording(region, time_bins=[(70, 170)])
found = model.look_at(stimuli).transpose("presentation", "neuroid")
rows = [found["stimulus_id"].values.tolist().index(one) for one in paths]
np.save(out, found.values[rows])
assert "brodmann" not in sys.modules
"""


def _recorded_by_brain_score(python, files, region, shown, folder):
    """Put the plugin into the installed brainscore_vision, load it by its identifier, record from it."""
    where = [python, "-P", "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]
    site = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    shutil.copytree(files.plugin, site / "brainscore_vision" / "models" / files.plugin.name)
    command = [
        python,
        "-P",
        "-W",
        "ignore",
        "-c",
        RECORD,
        files.identifier,
        region,
        json.dumps(shown),
        folder / "v.npy",
    ]
    environment = os.environ | {"BS_INSTALL_DEPENDENCIES": "no", "RESULTCACHING_DISABLE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "v.npy")


@pytest.mark.slow
def test_brain_scores_language_package_loads_the_plugin(language_python, stories, tmp_path):
    model = brodmann.load_model(stories)
    files = write_model_plugin([scored(model, "netw", "layers.3")], stories, tmp_path)
    report = check_plugin(files, model, python=language_python)
    assert report.passed, report.text()
    assert report.package == "brainscore_language 2.3.0"
    print(report.text())


def _recordings(folder, modality, *, awkward=""):
    """Recordings of one's own: 60 stimuli, 8 repetitions, 7 neuroids that share 4 signals."""
    rng = np.random.default_rng(0)
    n_stimuli, n_repetitions = 60, 8
    folder.mkdir()
    table = pd.DataFrame({"stimulus_id": [f"s{i:03d}" for i in rng.permutation(n_stimuli)]})
    table["object_name"] = [f"object {i % 3}" for i in range(n_stimuli)]
    table["story"] = [f"story {i // 5}" for i in range(n_stimuli)]
    if modality == "vision":
        (folder / "stimuli").mkdir()
        table["filename"] = [f"my picture {i}.png" for i in range(n_stimuli)]
        for name in table["filename"]:
            pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "stimuli" / name)
    else:
        table["sentence"] = [f"Sentence {i} is {'very ' * (i % 7)}short{awkward}." for i in range(n_stimuli)]
        table.loc[n_stimuli - 1, "sentence"] = table.loc[0, "sentence"]  # shown twice, under two ids
    table.to_csv(folder / "stimuli.csv", index=False)
    signal = rng.normal(size=(n_stimuli, 4)) @ rng.normal(size=(4, 7))
    values = signal.repeat(n_repetitions, axis=0) + 2 * rng.normal(size=(n_stimuli * n_repetitions, 7))
    np.savez(
        folder / "responses.npz",
        responses=values,
        stimulus_id=np.repeat(table["stimulus_id"].to_numpy(str), n_repetitions),
        repetition=np.tile(np.arange(n_repetitions), n_stimuli),
        region=np.full(7, "IT" if modality == "vision" else "PostTemp"),
    )
    bibtex = '@article{me, title = {It\'s \\"mine\\"\\n and $X}}'
    (folder / "dataset.toml").write_text(f'modality = "{modality}"\nbibtex = "{bibtex}"\n')
    return folder


@pytest.fixture(scope="module")
def own_data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    brodmann.brain_data.add_dataset("my-pictures", _recordings(folder / "pictures", "vision"))
    brodmann.brain_data.add_dataset(
        "my-sentences", _recordings(folder / "sentences", "language", awkward=' "so"')
    )
    return "my-pictures", "my-sentences"


def test_a_benchmark_of_ones_own_passes_every_check_and_gives_brodmanns_score(own_data, tmp_path):
    for identifier, registered in {
        "my-pictures.IT-pls": "my_pictures.IT-pls",
        "my-sentences.PostTemp-language_ridge": "my_sentences.PostTemp-ridge",
    }.items():
        files = write_benchmark_plugin(identifier, tmp_path)
        assert files.identifier == registered
        lines = (files.plugin / "__init__.py").read_text().splitlines()
        assert sum(f"benchmark_registry['{registered}']" in line for line in lines) == 1
        report = check_plugin(files)
        assert report.passed, report.text()
        own = brodmann.load_benchmark(identifier)
        assert f"ceiling {own.limit.value:.4f}, version 1" in report.text()


def test_a_changed_recording_is_seen_by_the_plugins_own_test(own_data, tmp_path):
    files = write_benchmark_plugin("my-pictures.IT-rdm", tmp_path)
    assert "its ceiling 1" in " ".join(files.notes)
    with netCDF4.Dataset(files.plugin / "assembly.nc", "a") as stored:
        stored["data"][:8] = 9
    found = failures(check_plugin(files))
    assert found.keys() == {"zip: it holds the folder's files", "its own test passes"}
    assert found["its own test passes"].startswith("AssertionError")


METRICS = ("pls", "ridge1", "linear_predictivity", "neuron_to_neuron", "ridgecv", "cka", "cka_biased", "rdm")


@pytest.mark.parametrize("metric", [*METRICS, "language_linear", "language_ridge"])
def test_the_stand_ins_metrics_give_brodmanns_numbers(metric, own_data, tmp_path, monkeypatch):
    """Through the plugin's own test, in this process: the candidate's score is the one that was written there."""
    language = metric.startswith("language")
    identifier = f"my-sentences.PostTemp-{metric}" if language else f"my-pictures.IT-{metric}"
    files = write_benchmark_plugin(identifier, tmp_path / "out")
    library = f"brainscore_{files.domain}"
    put_package(files.domain, tmp_path / "site", Path(sys.executable), own=True)
    shutil.copytree(files.plugin, tmp_path / "site" / library / "benchmarks" / files.plugin.name)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("BS_INSTALL_DEPENDENCIES", "no")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn's of PLS, xarray's of subclasses
            test = importlib.import_module(f"{library}.benchmarks.{files.plugin.name}.test")
            test.test_the_score_is_brodmanns()
            assert test.RAW > 0.2
            test.RAW += 2 * test.TOLERANCE
            with pytest.raises(AssertionError):
                test.test_the_score_is_brodmanns()
    finally:
        for name in [
            one for one in sys.modules if one.startswith("brainscore_v") or one.startswith("brainscore_l")
        ]:
            del sys.modules[name]


def test_a_layer_is_scored_through_the_plugin_as_brodmann_scores_it(own_data, twin, written, tmp_path):
    """Model and benchmark as plugins side by side, in a process without brodmann."""
    score = brodmann.score(twin, "my-pictures.IT-ridge1", ["layer3.0"], n_bootstraps=0, n_permutations=0)
    files = write_benchmark_plugin("my-pictures.IT-ridge1", tmp_path)
    value, raw = _scored_by_plugins(files, written, tmp_path)
    assert raw == pytest.approx(score.attrs["raw_value"], abs=1e-5)
    assert value == pytest.approx(float(score), abs=1e-5)


def _scored_by_plugins(benchmark, model, folder):
    """Score and raw value of a plugin by a plugin."""
    library = f"brainscore_{model.domain}"
    put_package(model.domain, folder / "site", Path(sys.executable), own=True)
    for one in (benchmark, model):
        shutil.copytree(one.plugin, folder / "site" / library / one.kind / one.plugin.name)
    code = (
        f"import sys; from {library} import load_benchmark, load_model\n"
        f"score = load_benchmark({benchmark.identifier!r})(load_model({model.identifier!r}))\n"
        "print(float(score), float(score.attrs['raw']), 'brodmann' in sys.modules)"
    )
    environment = os.environ | {"BS_INSTALL_DEPENDENCIES": "no", "PYTHONPATH": str(folder / "site")}
    command = [sys.executable, "-P", "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr
    value, raw, with_brodmann = done.stdout.split()
    assert with_brodmann == "False"
    return float(value), float(raw)


def test_a_subject_reads_passages_as_brodmann_does(own_data, stories, tmp_path):
    name = "my-sentences.PostTemp-language_ridge"
    (tmp_path / "mine.toml").write_text(f'["{name}-read"]\ndataset = "my-sentences"\nregion = "PostTemp"\n'
                                        'metric = "language_ridge"\ncontext = "passage"\nversion = 3\n')  # fmt: skip
    brodmann.bench.add_benchmark(tmp_path / "mine.toml")
    model = brodmann.load_model(stories)
    score = brodmann.score(model, f"{name}-read", ["layers.2"], n_bootstraps=0, n_permutations=0)
    subject = write_model_plugin([record_of(score)], model, tmp_path, identifier="reader")
    files = write_benchmark_plugin(f"{name}-read", tmp_path)
    assert "PASSAGE = 'story'" in (files.plugin / "benchmark.py").read_text()
    value, raw = _scored_by_plugins(files, subject, tmp_path)
    assert raw == pytest.approx(score.attrs["raw_value"], abs=1e-4)
    assert value == pytest.approx(float(score), abs=1e-4)
    alone = brodmann.score(model, name, ["layers.2"], n_bootstraps=0, n_permutations=0)
    assert abs(alone.attrs["raw_value"] - raw) > 1e-3


def test_what_brain_score_lacks_names_what_to_use(own_data, tmp_path):
    cases = {
        "my-pictures.IT-ridge": r"has no metric 'ridge': use ridgecv, or one of pls.*my-pictures\.IT-ridgecv",
        "my-pictures.IT-rsa": "use rdm, or one of",
        "my-sentences.PostTemp-linear": "use language_linear, or one of",
        "my-sentences.PostTemp-pls": "use language_linear, language_ridge, e",
        "simulated-cortex.IT-pls": "is not yours to publish",
    }
    for identifier, message in cases.items():
        with pytest.raises(UserError, match=message):
            write_benchmark_plugin(identifier, tmp_path)
    with pytest.raises(UserError, match="unknown region of Brain-Score vision 'FFA'"):
        write_benchmark_plugin("my-pictures.IT-pls", tmp_path, region="FFA")
    files = write_benchmark_plugin("my-pictures.IT-pls", tmp_path, region="V4")
    assert "models answer with the layer that they commit to V4" in files.notes
    assert not any(" " in path.name for path in files.root.rglob("*"))


@pytest.mark.slow
@pytest.mark.parametrize("metric", METRICS)
def test_brain_score_visions_own_metrics_give_brodmanns_numbers(metric, vision_python, own_data, tmp_path):
    report = check_plugin(write_benchmark_plugin(f"my-pictures.IT-{metric}", tmp_path), python=vision_python)
    assert report.passed, report.text()
    assert report.package == "brainscore_vision 2.4.2"


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["language_linear", "language_ridge"])
def test_brain_score_languages_own_metrics_give_brodmanns_numbers(
    metric, language_python, own_data, tmp_path
):
    files = write_benchmark_plugin(f"my-sentences.PostTemp-{metric}", tmp_path)
    report = check_plugin(files, python=language_python)
    assert report.passed, report.text()
    assert report.package == "brainscore_language 2.3.0"
