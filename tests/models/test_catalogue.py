"""Models and schemes are found by their files and by installed packages; what is misspelt costs nothing heavy."""

import subprocess
import sys

import pytest

from brodmann import load_model
from brodmann.models.catalogue import MODELS, SCHEMES
from brodmann.source_digest import PACKAGE, code_digest, imported_by

GUEST = """
from brodmann.models.catalogue import ModelCard, loads, path_scheme, scheme

@loads(ModelCard("guest-flat", "pixels as they are", "vision", "baseline", ("0",)))
def flat(card):
    import torch
    from brodmann.models import ImagePreprocessing, VisionModel
    flatten = torch.nn.Sequential(torch.nn.Flatten())
    return VisionModel(flatten, identifier=card.identifier, preprocess=ImagePreprocessing(4), layers=card.layers)

@scheme("mylab", "NAME")
def of_my_lab(name):
    return flat(ModelCard(f"mylab:{name}", "", "vision", "baseline", ("0",)))

@path_scheme("myfile", "FILE")
def of_my_file(path):
    return flat(ModelCard(f"myfile:{path.name}", "", "vision", "baseline", ("0",)))
"""


@pytest.fixture
def guest(tmp_path):
    """An installed package that adds a model and two schemes."""
    (tmp_path / "guest_models.py").write_text(GUEST)
    information = tmp_path / "guest_models-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: guest-models\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[brodmann.models]\nguest = guest_models\n")
    return tmp_path


def said(code, path=None):
    lines = ["import sys", *([f"sys.path.append({str(path)!r})"] if path else []), *code.splitlines()]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip().splitlines()


def test_a_package_adds_a_model_and_schemes_of_its_own(guest):
    code = """
from brodmann import list_models, load_model
names = [card.identifier for card in list_models()]
print("guest-flat" in names, "gabor-pyramid" in names, "torch" in sys.modules)
from brodmann.models import Readout
for name in ("guest-flat", "mylab:one", "myfile:~/two.pt"):
    model = load_model(name, readout=Readout(pool="mean"))
    print(model.identifier, model.made_by, model.readout.pool)
"""
    assert said(code, guest) == [
        "True True False",
        "guest-flat () mean",
        "mylab:one () mean",
        "myfile:two.pt () mean",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("cifar10-resnet2", "simulated-cortex.V1-ridge"),
            "unknown model 'cifar10-resnet2': did you mean 'cifar10-resnet",
        ),
        (("pixles", "simulated-cortex.V1-ridge"), "unknown model 'pixles': did you mean 'pixels'"),
        (
            ("pixles", "simulated-cortex.V1-ridge", "--pool", "mean"),
            "unknown model 'pixles': did you mean 'pixels'",
        ),
        (("pixels", "simulated-corte.V1-ridge"), "unknown benchmark 'simulated-corte.V1-ridge'"),
        (("hff:gpt2", "simulated-cortex.V1-ridge"), "unknown kind of model 'hff': did you mean 'hf'"),
        (("nowhere.py:make", "simulated-cortex.V1-ridge"), "no file nowhere.py"),
    ],
)
def test_a_misspelt_name_is_said_without_torch(arguments, message):
    code = f"""
import contextlib, io
from brodmann.bench.cli.main import main
sys.argv = ["brodmann", "score", *{arguments!r}]
with contextlib.redirect_stderr(io.StringIO()) as heard:
    try:
        main()
    except SystemExit as left:
        print(left.code)
print("torch" in sys.modules, "sklearn" in sys.modules)
print(heard.getvalue())
"""
    code, heavy, heard = said(code)
    assert (code, heavy) == ("2", "False False")
    assert message in heard


def test_in_python_too():
    code = """
import brodmann
for call in (
    lambda: brodmann.load_model("gabor-pyramyd"), lambda: brodmann.score("gabor-pyramyd", "simulated-cortex.V1-ridge"),
):
    try:
        call()
    except brodmann.UserError as error:
        print(error, "torch" in sys.modules)
"""
    assert said(code) == 2 * ["unknown model 'gabor-pyramyd': did you mean 'gabor-pyramid'? False"]


def test_listing_a_card_and_a_scheme_needs_no_torch():
    code = "from brodmann.models.catalogue import MODELS, SCHEMES\n"
    code += "print(len(MODELS), len(SCHEMES), 'torch' in sys.modules)"
    assert said(code) == [f"{len(MODELS)} {len(SCHEMES)} False"]


@pytest.fixture
def copy(tmp_path):
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE)
        if "tests" not in place.parts:
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).write_bytes(path.read_bytes())
    return tmp_path


def module_of(name):
    registry = SCHEMES if name in SCHEMES else MODELS
    return registry.origin(name).removeprefix("brodmann.")


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        ("models/weights/detect_architecture.py", {"weights", "toponet-resnet18-tau10"}),
        ("models/weights/recognizers/resnet.py", {"weights", "tdann", "toponet-resnet18-tau10"}),
        ("models/weights/recognizers/gpt.py", {"weights", "topolm", "toponet-resnet18-tau10"}),
        ("models/weights/recognizers/base.py", {
            "weights", "tdann", "topolm", "toponet-resnet18-tau10", "twin-vision-baseline", "trained",
        }),
        ("models/weights/hugging_face_folder.py", {"hf", "topoformer"}),
        ("models/training/load.py", {"twin-vision-baseline", "trained"}),
        ("models/architectures/gabor_pyramid.py", {"gabor-pyramid"}),
        ("models/zoo/squeezenet.py", {"squeezenet1_0"}),
        ("models/zoo/hugging_face.py", {"hf", "topoformer"}),
        ("models/weights/state_dict.py", {
            "weights", "tdann", "topolm", "toponet-resnet18-tau10", "twin-vision-baseline", "trained", "squeezenet1_0",
            "cifar10-resnet20",
        }),
        ("models/catalogue.py", set()),
        ("models/loading.py", set()),
    ],
)  # fmt: skip
def test_an_edit_changes_the_keys_of_the_models_that_the_module_builds(copy, edited, changed):
    names = [
        "weights", "tdann", "topolm", "topoformer", "hf", "timm", "trained", "all-tnn", "toponet-resnet18-tau10",
        "twin-vision-baseline", "gabor-pyramid", "pixels", "squeezenet1_0", "cifar10-resnet20", "random-transformer",
        "simulated-truth", "word-length-frequency",
    ]  # fmt: skip
    before = {name: code_digest([module_of(name)], copy) for name in names}
    with (copy / edited).open("a") as stream:
        stream.write("\nEDITED = 1\n")
    assert {name for name in names if code_digest([module_of(name)], copy) != before[name]} == changed


def test_a_baseline_reaches_the_code_of_no_other_network():
    reached = {name for name in imported_by(["models.zoo.gabor_pyramid"]) if name.startswith("models.")}
    assert {name for name in reached if name.split(".")[1] in ("zoo", "architectures", "training", "weights")} == {
        "models.zoo.gabor_pyramid", "models.architectures.gabor_pyramid", "models.architectures.pixels",
    }  # fmt: skip


def test_the_key_of_a_loaded_model_holds_the_module_that_built_it(tmp_path):
    import torch

    from brodmann.models.architectures.resnet import BasicBlock, ResNet

    torch.save(
        ResNet(BasicBlock, (1, 1, 1, 1), widths=(8, 8, 8, 8), n_classes=3).state_dict(), tmp_path / "small.pt"
    )
    assert load_model(f"weights:{tmp_path / 'small.pt'}").made_by == ("models.zoo.weights_file",)
    assert load_model("twin-vision-baseline").made_by == ("models.zoo.trained",)
    assert load_model("gabor-pyramid").made_by == ("models.zoo.gabor_pyramid",)
