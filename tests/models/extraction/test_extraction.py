"""Extraction as long work: it resumes after a kill with the same bytes, in bounded memory, pooled or projected."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.errors import UserError
from brodmann.models import ImagePreprocessing, LanguageModel, VisionModel
from brodmann.models.extraction import activation_cache
from brodmann.models.extraction.readout import Readout

SMALL = ImagePreprocessing(8)
N_PICTURES = 23


class Net(nn.Module):
    """Counts the pictures that it is shown, and may stop at one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 6, 3)
        self.second = nn.Conv2d(6, 5, 3)

    def forward(self, x):
        return self.second(self.first(x).relu())


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    generator = np.random.default_rng(0)
    ids = [f"p{i:03d}" for i in range(N_PICTURES)]
    for name in ids:
        Image.fromarray(generator.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    stimuli = StimulusSet({"stimulus_id": ids})
    stimuli.stimulus_paths = {name: folder / f"{name}.png" for name in ids}
    stimuli.identifier = "many"
    return stimuli


class Watched(VisionModel):
    """Counts its forward passes and is interrupted before one of them."""

    def __init__(self, module, *, interrupted_at=None, **options):
        self.watch = SimpleNamespace(passes=0, interrupted_at=interrupted_at)
        super().__init__(module, **options)

    @property
    def passes(self):
        return self.watch.passes

    def _forward(self, batch):
        if len(batch) > 1:
            if self.passes == self.watch.interrupted_at:
                raise KeyboardInterrupt
            self.watch.passes += 1
        return super()._forward(batch)


def watched(interrupted_at=None, **options):
    options = {
        "identifier": "net",
        "preprocess": SMALL,
        "layers": ["first", "second"],
        "batch_size": 4,
    } | options
    return Watched(Net(), interrupted_at=interrupted_at, **options)


def files(home):
    return {path.name: path.read_bytes() for path in (home / "activations").rglob("*") if path.is_file()}


def test_an_interrupted_extraction_goes_on_and_ends_with_the_same_bytes(many, home, tmp_path, monkeypatch):
    whole = watched()
    whole.extract(many)
    assert whole.passes == 6
    expected = files(home)
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "other"))
    with pytest.raises(KeyboardInterrupt):
        watched(interrupted_at=4).extract(many)
    again = watched()
    again.extract(many)
    assert again.passes == 2
    assert files(tmp_path / "other") == expected


def test_the_checksum_that_grew_with_the_file_is_the_files(many, home):
    watched().extract(many)
    for path in (home / "activations").rglob("*.npy"):
        assert activation_cache._digest(path, 0, 0) == activation_cache.crc32_file(path)
        assert activation_cache.crc32_file(path) in path.with_suffix(".json").read_text()
    assert not list((home / "activations").rglob(".*"))


def test_layers_that_were_left_at_different_places_go_on_together(many, home):
    with pytest.raises(KeyboardInterrupt):
        watched(interrupted_at=2).extract(many, ["first"])
    with pytest.raises(KeyboardInterrupt):
        watched(interrupted_at=4).extract(many, ["second"])
    model = watched()
    found = model.extract(many)
    assert model.passes == 4
    fresh = watched(cache=False).extract(many)
    for name, values in found.items():
        np.testing.assert_array_equal(values, fresh[name])


@pytest.mark.parametrize("damage", ["byte", "cut", "journal", "batch size"])
def test_what_was_damaged_after_an_interrupt_is_made_anew(many, home, damage):
    with pytest.raises(KeyboardInterrupt):
        watched(interrupted_at=4).extract(many, ["first"])
    (partial,) = (home / "activations").rglob("*.partial")
    raw = bytearray(partial.read_bytes())
    width = 6 * 6 * 6 * 4
    if damage == "byte":  # in the third batch: two are still good
        raw[len(raw) - N_PICTURES * width + 9 * width] ^= 1
        partial.write_bytes(raw)
    elif damage == "cut":
        partial.write_bytes(raw[: len(raw) - N_PICTURES * width + 5 * width])
    elif damage == "journal":
        partial.with_suffix(".journal").write_text("nonsense\n")
    options = {"batch_size": 5} if damage == "batch size" else {}
    model = watched(**options)
    found = model.extract(many, ["first"])["first"]
    assert model.passes == {"byte": 4, "cut": 5, "journal": 6, "batch size": 5}[damage]
    np.testing.assert_allclose(
        found, watched(cache=False).extract(many, ["first"])["first"], rtol=1e-5, atol=1e-6
    )
    (path,) = (home / "activations").rglob("*.npy")
    assert activation_cache.crc32_file(path) in path.with_suffix(".json").read_text()


def test_a_mistake_leaves_nothing_behind(many, home):
    class Breaks(Net):
        def forward(self, x):
            return super().forward(x if len(x) == 1 else x * float("nan"))

    with pytest.raises(UserError, match="NaN or infinite"):
        VisionModel(Breaks(), identifier="breaks", preprocess=SMALL, layers=["second"]).extract(many)
    assert not [path for path in (home / "activations").rglob("*") if path.is_file() and path.suffix != ".npy"
                and path.suffix != ".json"]  # fmt: skip


def test_two_processes_that_make_the_same_do_not_disturb_one_another(home):
    shape, rows = (4, 3), np.arange(4)
    values = np.arange(12, dtype=np.float32).reshape(shape)
    with activation_cache.writing({"ab": shape}, {"ab": {}}, plan="p") as first:
        first["ab"].write(rows[:2], values[:2])
        with activation_cache.writing({"ab": shape}, {"ab": {}}, plan="p") as second:
            assert second["ab"].partial != first["ab"].partial
            second["ab"].write(rows, values)
        first["ab"].write(rows[2:], values[2:])
    np.testing.assert_array_equal(activation_cache.find("ab")[0], values)


BATCHES = ((np.arange(2), np.arange(6, dtype=np.float32).reshape(2, 3)),
           (np.arange(2, 4), np.arange(6, 12, dtype=np.float32).reshape(2, 3)))  # fmt: skip


def killed_at(step, home):
    """An extraction of two batches that is killed before it does `step`, an audit event on a path of some ending."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    event, ending = step

    def hook(name, arguments):
        if name == event and str(arguments[0]).endswith(ending):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    with activation_cache.writing({"ab": (4, 3)}, {"ab": {"of": "a"}}, plan="p") as arrays:
        for rows, values in BATCHES:
            if not activation_cache.all_hold(arrays, rows):
                arrays["ab"].write(rows, values)
    os._exit(0)


@pytest.mark.parametrize(
    "step",
    [
        ("open", ".partial"),
        ("open", ".journal"),
        ("open", ".json"),
        ("os.rename", ".partial"),
        ("os.remove", ".journal"),
        ("os.rename", ".ab.partial"),
        ("os.remove", ".ab.partial"),
    ],
)
def test_a_kill_at_any_step_leaves_nothing_beside_what_the_next_run_ends_with(home, step):
    code = killed_at(step, home)
    assert code in (0, -signal.SIGKILL)
    found = activation_cache.find("ab")
    if found is None:
        assert code == -signal.SIGKILL
        with activation_cache.writing({"ab": (4, 3)}, {"ab": {"of": "a"}}, plan="p") as arrays:
            for rows, values in BATCHES:
                if not activation_cache.all_hold(arrays, rows):
                    arrays["ab"].write(rows, values)
    values, notes = activation_cache.find("ab")
    np.testing.assert_array_equal(values, np.arange(12).reshape(4, 3))
    assert notes["of"] == "a"
    assert sorted(path.name for path in (home / "activations" / "ab").iterdir()) == ["ab.json", "ab.npy"]


def test_what_a_process_beside_another_left_goes_with_the_next_extraction(home):
    folder = home / "activations" / "ab"
    folder.mkdir(parents=True)
    for name in (".ab.0123abcd.partial", ".ab.0123abcd.journal", ".ac.journal"):
        (folder / name).write_text("left")
    for name in (".ad.partial", ".ad.journal"):  # of a run that may be gone on with
        (folder / name).write_text("left")
    with activation_cache.writing({"ab": (4, 3)}, {"ab": {}}, plan="p") as one:
        beside = activation_cache.Growing("ab", (4, 3), np.float32, "p")
        with activation_cache.writing({"ae": (4, 3)}, {"ae": {}}, plan="p") as other:
            other["ae"].write(np.arange(4), np.zeros((4, 3)))
        assert beside.partial.exists()  # it is held
        beside.close(keep=False)
        one["ab"].write(np.arange(4), np.zeros((4, 3)))
    assert sorted(path.name for path in folder.iterdir()) == [
        ".ad.journal",
        ".ad.partial",
        "ab.json",
        "ab.npy",
    ]


SCRIPT = """
import sys, time
import numpy as np, torch
from pathlib import Path
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import ImagePreprocessing, VisionModel

folder = Path(sys.argv[1])
torch.manual_seed(0)

class Slow(torch.nn.Conv2d):
    def forward(self, x):
        time.sleep(float(sys.argv[2]) * (len(x) > 1))
        return super().forward(x)

paths = {path.stem: path for path in sorted(folder.glob("*.png"))}
stimuli = StimulusSet({"stimulus_id": list(paths)})
stimuli.stimulus_paths = paths
model = VisionModel(torch.nn.Sequential(Slow(3, 6, 3)), identifier="slow", preprocess=ImagePreprocessing(8),
                    layers=["0"], batch_size=4)
model.extract(stimuli)
"""


def run(script, folder, pause, home):
    environment = os.environ | {"BRODMANN_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, str(script), str(folder), str(pause)], env=environment)


def test_a_killed_extraction_resumes_and_ends_with_the_same_bytes(many, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    folder = Path(next(iter(many.stimulus_paths.values()))).parent
    assert run(script, folder, 0, tmp_path / "whole").wait() == 0
    killed = run(script, folder, 0.4, tmp_path / "killed")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        journals = list((tmp_path / "killed").rglob("*.journal"))
        if journals and journals[0].read_text().count("\n") >= 3:
            break
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert killed.returncode == -signal.SIGKILL
    assert not list((tmp_path / "killed").rglob("*.npy"))
    assert run(script, folder, 0, tmp_path / "killed").wait() == 0
    # the pause is a number of the process, not of the network, so both runs have one key
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_sentences_whose_rows_are_scattered_over_batches_resume_too(home, tmp_path, monkeypatch):
    texts = [("word " * (1 + (7 * i) % 11)).strip() for i in range(20)]
    stimuli = StimulusSet({"stimulus_id": [f"s{i}" for i in range(20)], "sentence": texts})

    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.embed = nn.Embedding(300, 8)
            self.passes, self.stop = 0, None

        def forward(self, input_ids, attention_mask):
            if len(input_ids) > 1:
                if self.passes == self.stop:
                    raise KeyboardInterrupt
                self.passes += 1
            return self.embed(input_ids)

    def model(stop=None):
        module = Words()
        module.__dict__["stop"] = stop
        return LanguageModel(
            module, lambda text, **_: {"input_ids": [len(word) for word in text.split()]},
            identifier="words", layers=["embed"], batch_size=4, pooling="mean",
        )  # fmt: skip

    fresh = model().extract(stimuli)["embed"].values.copy()
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "other"))
    with pytest.raises(KeyboardInterrupt):
        model(stop=3).extract(stimuli)
    np.testing.assert_array_equal(model().extract(stimuli)["embed"].values, fresh)


def test_pooling_over_space_is_the_mean_or_the_maximum_of_the_map(many):
    whole = watched(cache=False).extract(many)["second"].values.reshape(N_PICTURES, 5, 4, 4)
    mean = watched(cache=False, readout=Readout(pool="mean")).extract(many)["second"]
    highest = watched(cache=False, readout=Readout(pool="max")).extract(many)["second"]
    np.testing.assert_allclose(mean, whole.mean((2, 3)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(highest, whole.max((2, 3)), rtol=1e-6)


def test_a_sparse_projection_keeps_distances_and_follows_from_its_seed():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 20, 12, 12, generator=generator)
    kept = Readout(project=1000, seed=3).projected(x)
    assert kept.shape == (30, 1000)
    ratios = torch.pdist(kept) / torch.pdist(x.flatten(1))
    assert float(ratios.mean()) == pytest.approx(1, abs=0.02)
    assert float(ratios.std()) < 0.05  # about 1 / sqrt(2 k)
    torch.testing.assert_close(kept, Readout(project=1000, seed=3).projected(x), rtol=0, atol=0)
    assert not torch.allclose(kept, Readout(project=1000, seed=4).projected(x))
    assert Readout(project=1000).projected(x[:, :1]).shape == (30, 1, 12, 12)  # narrower already


def test_each_reading_has_activations_of_its_own_in_the_cache(many, home):
    sizes = {
        readout: watched(readout=readout).extract(many)["second"].sizes["neuroid"]
        for readout in (Readout(), Readout(pool="mean"), Readout(project=7), Readout(project=7, seed=1))
    }
    assert list(sizes.values()) == [80, 5, 7, 7]
    assert len(list((home / "activations").rglob("*.npy"))) == 2 * 4


def test_half_precision_is_asked_for_and_close(many, home):
    single = watched(cache=False).extract(many)["second"].values
    half = watched(readout=Readout(half=True)).extract(many)["second"]
    assert half.dtype == np.float16
    assert np.corrcoef(single.ravel(), half.values.ravel().astype(float))[0, 1] > 0.999


def test_half_precision_says_when_a_number_does_not_fit(many, home):
    class Large(Net):
        def forward(self, x):
            return self.second(1e6 * self.first(x))

    with pytest.raises(UserError, match="NaN or infinite in half precision"):
        VisionModel(
            Large(), identifier="large", preprocess=SMALL, layers=["second"], readout=Readout(half=True)
        ).extract(many)


@pytest.mark.parametrize("wrong", [{"pool": "sum"}, {"project": 0}, {"seed": -1}])
def test_a_reading_that_cannot_be(wrong):
    with pytest.raises(UserError):
        Readout(**wrong)


MEMORY = """
import sys
import numpy as np, torch
from pathlib import Path
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.models import ImagePreprocessing, VisionModel

path, n = Path(sys.argv[1]), int(sys.argv[2])
stimuli = StimulusSet({"stimulus_id": [f"p{i}" for i in range(n)]})
stimuli.stimulus_paths = {f"p{i}": path for i in range(n)}
torch.manual_seed(0)
module = torch.nn.Sequential(torch.nn.Conv2d(3, 40, 3, padding=1))
model = VisionModel(module, identifier="wide", preprocess=ImagePreprocessing(32), layers=["0"], batch_size=16)
model.sizes(stimuli)
def memory(name):
    line = next(line for line in open("/proc/self/status") if line.startswith(name))
    return int(line.split()[1])
open("/proc/self/clear_refs", "w").write("5")
before = memory("VmRSS")
model.extract(stimuli)
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read from /proc"
)
def test_memory_does_not_grow_with_the_number_of_stimuli(many, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(MEMORY)
    picture = next(iter(many.stimulus_paths.values()))

    def peak(n):
        environment = os.environ | {"BRODMANN_HOME": str(tmp_path / str(n)), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, str(script), str(picture), str(n)],
            env=environment,
            capture_output=True,
            check=True,
        )
        return int(done.stdout) / 1024  # MiB

    few, more = peak(160), peak(1280)  # 25 and 200 MiB of activations
    print(f"peak above the start: {few:.0f} MiB for 160 stimuli, {more:.0f} MiB for 1280")
    assert more < few + 60
