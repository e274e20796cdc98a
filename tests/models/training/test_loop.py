"""Training of twins: seeds, resuming with the same bytes, data of every layout, what is kept."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from brodmann.brain_data.stimuli.drawn_images import CATEGORIES
from brodmann.errors import UserError
from brodmann.models import load_model
from brodmann.models.topography.topoloss import topographic_loss
from brodmann.models.training import loop
from brodmann.models.training.images import LabeledImages, drawn_images, image_folder
from brodmann.models.training.loop import evaluate, read_log, recalibrated, train
from brodmann.models.training.recipe import Card, Recipe
from brodmann.models.training.texts import END, TextTokenizer, corpus

WIDTHS = (9, 9, 12, 16, 16, 16, 16, 25)


def tiny(**changes):
    return Recipe("vision", **({"steps": 12, "batch": 8, "size": 16, "widths": WIDTHS} | changes))


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 5
    pixels = generator.integers(0, 60, (60, 16, 16, 3), dtype=np.uint8)
    for i, label in enumerate(labels):  # a class is a bright column
        pixels[i, :, 3 * label : 3 * label + 3] += 150
    return LabeledImages(pixels, labels, CATEGORIES, np.arange(60) >= 45)


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_training_lowers_the_loss_and_writes_everything(images, tmp_path):
    card = train(tiny(tau=3.0, steps=120, learning_rate=1e-2), images, tmp_path / "one")
    assert set(bytes_of(tmp_path / "one")) == {"weights.safetensors", "training.json", "log.csv"}
    log = read_log(tmp_path / "one")
    assert log["task_loss"][-1] < 0.5 * log["task_loss"][0]
    assert log["topographic_loss"][-1] < 0.6 * log["topographic_loss"][0]
    assert log["smoothness layer4.0.conv1"][-1] > log["smoothness layer4.0.conv1"][0] + 0.2
    assert card.results["accuracy"] > 0.8
    assert Card.read(tmp_path / "one" / "training.json") == card


def test_twins_begin_with_the_same_weights_and_see_the_same_batches(images):
    topographic = tiny(tau=5.0)
    for (name, a), b in zip(
        topographic.network().state_dict().items(), topographic.baseline().network().state_dict().values(),
        strict=True,
    ):  # fmt: skip
        torch.testing.assert_close(a, b, rtol=0, atol=0, msg=name)
    task = loop._task(topographic, images, torch.device("cpu"))
    other = loop._task(topographic.baseline(), images, torch.device("cpu"))
    network = topographic.network().eval()
    assert float(task.loss(network, 7).detach()) == float(other.loss(network, 7).detach())
    assert float(task.loss(network, 7).detach()) != float(task.loss(network, 8).detach())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(images, tmp_path):
    for name, recipe in {"a": tiny(), "b": tiny(), "c": tiny(seed=1)}.items():
        train(recipe, images, tmp_path / name)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert bytes_of(tmp_path / "a")["weights.safetensors"] != bytes_of(tmp_path / "c")["weights.safetensors"]


def test_an_interrupted_training_goes_on_and_ends_with_the_same_bytes(images, tmp_path, monkeypatch):
    recipe = tiny(tau=2.0)
    train(recipe, images, tmp_path / "whole")
    steps = []

    def interrupted(items, description, **options):
        for step in items:
            if step == 7 and not steps:
                steps.append(step)
                raise KeyboardInterrupt
            yield step

    monkeypatch.setattr(loop, "track", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, images, tmp_path / "broken", checkpoint_s=0)
    assert set(bytes_of(tmp_path / "broken")) == {"checkpoint.pt"}
    begun = []
    monkeypatch.setattr(loop, "track", lambda items, *_, **__: begun.extend(items) or iter(begun))
    train(recipe, images, tmp_path / "broken")
    assert begun[0] == 7
    assert bytes_of(tmp_path / "broken") == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["cut", "foreign"])
def test_a_checkpoint_that_is_damaged_or_of_another_training_counts_for_nothing(images, tmp_path, damage):
    recipe = tiny()
    train(recipe, images, tmp_path / "whole")
    folder = tmp_path / "broken"
    folder.mkdir()
    network = recipe.network()
    optimizer = torch.optim.AdamW(network.parameters())
    key = "another" if damage == "foreign" else recipe.key(images.digest)
    loop._checkpoint(folder, key, 5, network, optimizer, [])
    if damage == "cut":
        raw = (folder / "checkpoint.pt").read_bytes()
        (folder / "checkpoint.pt").write_bytes(raw[: len(raw) // 2])
    train(recipe, images, folder)
    assert bytes_of(folder) == bytes_of(tmp_path / "whole")


SCRIPT = """
import sys, time
from pathlib import Path
from brodmann.models.training import loop
from brodmann.models.training.recipe import Recipe
from brodmann.models.training.texts import corpus

pause = float(sys.argv[2])
if pause:
    row = loop._row
    loop._row = lambda *given: (time.sleep(pause), row(*given))[1]
recipe = Recipe("language", tau=1.0, steps=40, batch=4, size=16, widths=(16, 1, 2, 300))
loop.train(recipe, corpus(None, vocabulary=300), Path(sys.argv[1]), checkpoint_s=0)
"""


def test_a_killed_training_resumes_and_ends_with_the_same_bytes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def run(folder, pause):
        return subprocess.Popen([sys.executable, str(script), str(folder), str(pause)], env=environment)

    assert run(tmp_path / "whole", 0).wait() == 0
    killed = run(tmp_path / "killed", 0.2)
    until = time.monotonic() + 60
    while time.monotonic() < until and not (tmp_path / "killed" / "checkpoint.pt").exists():
        time.sleep(0.02)
    time.sleep(0.5)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    assert run(tmp_path / "killed", 0).wait() == 0
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")


def test_a_finished_training_is_read_and_another_is_refused(images, tmp_path):
    train(tiny(), images, tmp_path / "one")
    before = bytes_of(tmp_path / "one")
    train(tiny(), images, tmp_path / "one")
    assert bytes_of(tmp_path / "one") == before
    with pytest.raises(UserError, match=r"holds a training with another steps \(12\): choose another folder"):
        train(tiny(steps=13), images, tmp_path / "one")


def test_a_loss_that_is_no_longer_finite_says_what_to_lower(images, tmp_path):
    with pytest.raises(UserError, match="no longer finite at step .*: lower --learning-rate"):
        train(tiny(learning_rate=1e30), images, tmp_path / "one")


def test_a_trained_network_is_a_model_with_its_sheets(images, tmp_path, pictures):
    train(tiny(tau=2.0), images, tmp_path / "vision-tau2")
    model = load_model(f"trained:{tmp_path / 'vision-tau2'}")
    assert model.identifier == "trained:vision-tau2"
    seen = []
    for name in model.layers:
        model.module.get_submodule(name).register_forward_hook(lambda *_, name=name: seen.append(name))
    model.module(torch.zeros(1, 3, 16, 16))
    assert seen == model.layers
    assert model.sheet("layer4.0.conv1").layout == "native"
    assert model.extract(pictures, ["layer4.0.conv1"])["layer4.0.conv1"].sizes["neuroid"] == 25
    weight = model.module.layer4[0].conv1.weight.detach().flatten(1)
    card = Card.read(tmp_path / "vision-tau2" / "training.json")
    assert float(topographic_loss(weight)) < 1.5 * card.results["topographic_loss"] + 0.2


def test_half_precision_weights_are_half_the_size_and_nearly_as_good(images, tmp_path):
    train(tiny(steps=40), images, tmp_path / "whole")
    train(tiny(steps=40), images, tmp_path / "half", half=True)
    sizes = [(tmp_path / name / "weights.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    recipe = tiny(steps=40)
    scores = [
        evaluate(recipe, images, load_model(f"trained:{tmp_path / name}").module)["accuracy"]
        for name in ("whole", "half")
    ]
    assert abs(scores[0] - scores[1]) <= 1 / 15


def test_a_language_network_learns_and_reads_sentences(tmp_path):
    import pandas as pd

    from brodmann.brain_data.stimulus_set import StimulusSet

    text = corpus(None, vocabulary=300)
    recipe = Recipe("language", tau=1.0, steps=120, batch=16, size=24, widths=(32, 2, 2, 300))
    card = train(recipe, text, tmp_path / "gpt")
    assert card.results["loss"] < 3.5  # ln 300 = 5.7
    assert 0.3 < card.results["bits_per_byte"] < 4
    model = load_model(f"trained:{tmp_path / 'gpt'}")
    texts = ["The old dog sees a hammer.", "Zqx vbnk ptrw."]
    stimuli = StimulusSet(pd.DataFrame({"stimulus_id": ["a", "b"], "sentence": texts}))
    surprisal = model.surprisal(stimuli)
    assert surprisal[0] < 0.6 * surprisal[1]
    ids = torch.tensor([model.tokenizer(texts[0])["input_ids"]])
    loss = torch.nn.functional.cross_entropy(model.module(ids)[0, :-1], ids[0, 1:])
    assert surprisal[0] == pytest.approx(float(loss.detach()), rel=1e-5)
    assert model.sheet("transformer.h.1.mlp.c_fc").shape == (8, 16)
    assert model.extract(stimuli, ["transformer.h.1.mlp.c_fc"])["transformer.h.1.mlp.c_fc"].shape == (2, 128)


def test_a_trained_small_network_has_fewer_inner_units():
    whole, small = tiny().network(), tiny(inner_share=0.25).network()
    assert small.layer4[0].conv1.weight.shape[0] == round(0.25 * 25)
    assert small.layer4[0].conv2.weight.shape[0] == whole.layer4[0].conv2.weight.shape[0]


def test_recalibrated_norms_know_what_they_now_see(images):
    network = tiny().network().eval()
    with torch.no_grad():
        network.conv1.weight.mul_(7.0)
    found = recalibrated(network, images)
    shown = loop.normalized(torch.from_numpy(images.pixels[:45]))
    response = network.conv1(shown)
    torch.testing.assert_close(found.bn1.running_mean, response.mean((0, 2, 3)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.bn1.running_var, response.var((0, 2, 3)), rtol=1e-4, atol=1e-4)
    assert not torch.equal(network.bn1.running_var, found.bn1.running_var)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tau": -1.0}, "at least 0, not -1"),
        ({"schedule": "wavy"}, "constant, warm-up, decay, not 'wavy'"),
        ({"inner_share": 0.0}, "above 0 and not above 1"),
        ({"batch": -3}, "batch must be at least 1, not -3"),
    ],
)
def test_recipes_that_cannot_be(changes, message):
    with pytest.raises(UserError, match=message):
        tiny(**changes)


def test_drawn_images_follow_from_their_seed():
    first, again = drawn_images(16, n_images=20, n_held_out=5), drawn_images(16, n_images=20, n_held_out=5)
    assert first.digest == again.digest
    assert first.digest != drawn_images(16, n_images=20, n_held_out=5, seed=1).digest
    assert first.pixels.shape == (25, 16, 16, 3)
    assert np.bincount(first.labels).tolist() == [5] * 5
    assert first.held_out.sum() == 5


def save_pictures(folder, kinds, n=4):
    for value, kind in enumerate(kinds):
        (folder / kind).mkdir(parents=True)
        for i in range(n):
            Image.new("RGB", (40, 30), (60 * value, 10 * i, 0)).save(folder / kind / f"{i}.jpg")


def test_a_folder_a_class_is_divided_by_a_seed(tmp_path):
    save_pictures(tmp_path, ["cat", "dog", "fish"], n=10)
    found = image_folder(tmp_path, 8, share_held_out=0.2)
    assert found.classes == ("cat", "dog", "fish")
    assert found.pixels.shape == (30, 8, 8, 3)
    assert [int(found.held_out[found.labels == k].sum()) for k in range(3)] == [2, 2, 2]
    assert abs(int(found.pixels[found.labels == 2][0, 0, 0, 0]) - 120) < 6


def test_imagenets_layout_keeps_its_own_division(tmp_path):
    save_pictures(tmp_path / "train", ["n01", "n02"], n=5)
    save_pictures(tmp_path / "val", ["n01", "n02"], n=2)
    found = image_folder(tmp_path, 8)
    assert found.held_out.sum() == 4
    assert len(found.labels) == 14


def cifar(seed=0, n=12):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (n, 3072), dtype=np.uint8), generator.integers(0, 10, n)


def test_cifars_binary_and_pickled_files_hold_the_same(tmp_path):
    binary, pickled = tmp_path / "bin" / "cifar-10-batches-bin", tmp_path / "cifar-10-batches-py"
    binary.mkdir(parents=True)
    pickled.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        pixels, labels = cifar(seed=len(name) + ord(name[-1]))
        np.concatenate([labels[:, None].astype(np.uint8), pixels], axis=1).tofile(binary / f"{name}.bin")
        content = {b"data": pixels, b"labels": labels.tolist(), b"batch_label": b"one"}
        (pickled / name).write_bytes(pickle.dumps(content, protocol=2))
    first, second = image_folder(tmp_path / "bin"), image_folder(pickled)
    assert first.digest == second.digest
    assert first.held_out.sum() == 12
    pixels, labels = cifar(seed=len("data_batch_1") + ord("1"))
    np.testing.assert_array_equal(first.pixels[0, 3, 5], pixels[0].reshape(3, 32, 32)[:, 3, 5])
    assert first.labels[0] == labels[0]
    assert image_folder(pickled, 16).pixels.shape == (72, 16, 16, 3)


def test_cifar_100s_fine_labels(tmp_path):
    pixels, labels = cifar()
    for name in ("train", "test"):
        content = {b"data": pixels, b"fine_labels": (labels * 9).tolist(), b"coarse_labels": labels.tolist()}
        (tmp_path / name).write_bytes(pickle.dumps(content, protocol=2))
    found = image_folder(tmp_path)
    np.testing.assert_array_equal(found.labels[:12], labels * 9)


def test_a_cifar_pickle_that_would_run_something_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    class Harmful:
        def __reduce__(self):
            return (os.system, ("touch HARM",))

    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        (tmp_path / name).write_bytes(pickle.dumps({b"data": Harmful()}))
    with pytest.raises(UserError, match=r"it names posix.system: refused"):
        image_folder(tmp_path)
    assert not (tmp_path / "HARM").exists()


@pytest.mark.parametrize("kind", ["absent", "empty", "one class", "damaged"])
def test_folders_that_are_no_pictures_to_train_on(tmp_path, kind):
    folder = tmp_path / "folder"
    if kind != "absent":
        folder.mkdir()
    if kind in ("one class", "damaged"):
        save_pictures(folder, ["cat"] if kind == "one class" else ["cat", "dog"])
    if kind == "damaged":
        (folder / "dog" / "0.jpg").write_bytes(b"not a picture")
    message = {
        "absent": "no folder", "empty": "pictures of 0 classes", "one class": "pictures of 1 classes",
        "damaged": "dog/0.jpg cannot be read",
    }[kind]  # fmt: skip
    with pytest.raises(UserError, match=message):
        image_folder(folder)


def test_any_text_files_become_a_corpus(tmp_path):
    (tmp_path / "deep").mkdir()
    for i, name in enumerate(("a.txt", "deep/b.txt")):
        (tmp_path / name).write_text("\n".join(f"Paragraph {i} {j} about many things." for j in range(300)))
    found = corpus(tmp_path, vocabulary=400)
    tokenizer = TextTokenizer(found.tokenizer, 32)
    first = tokenizer("Paragraph 0 0")["input_ids"]
    np.testing.assert_array_equal(found.train[: len(first)], first)
    end = tokenizer._first
    assert (found.train == end).sum() + (found.held_out == end).sum() == 600
    assert (found.held_out == end).sum() == 60
    assert json.loads(found.tokenizer)["added_tokens"][0]["content"] == END


@pytest.mark.parametrize("kind", ["absent", "little", "bytes"])
def test_text_that_cannot_be_trained_on(tmp_path, kind):
    path = tmp_path / "text.txt"
    if kind == "little":
        path.write_text("A few words.\nAnd more.")
    elif kind == "bytes":
        path.write_bytes(b"\xff\xfe\x00\x80" * 5000)
    message = {"absent": "nothing to train on", "little": "too little text", "bytes": "not UTF-8"}[kind]
    with pytest.raises(UserError, match=message):
        corpus(path)


@pytest.mark.slow
def test_retraining_reproduces_the_twins_that_come_with_brodmann(tmp_path):
    """The exact command, minus its folder; other machines sum in another order."""
    from brodmann.models.training.load import PACKAGED

    for name in ("twin-vision-topographic", "twin-vision-baseline"):
        kept = Card.read(PACKAGED / name / "training.json")
        card = train(kept.recipe, drawn_images(kept.recipe.size), tmp_path / name, half=True)
        print(f"{name}: kept {kept.results}, retrained {card.results}")
        assert card.data == kept.data
        assert card.results["accuracy"] == pytest.approx(kept.results["accuracy"], abs=0.03)
        assert card.results["topographic_loss"] == pytest.approx(kept.results["topographic_loss"], rel=0.25)


@pytest.mark.parametrize(
    ("name", "accuracy", "loss"),
    [
        ("twin-vision-topographic", 0.02, None),
        ("twin-vision-baseline", 0.02, None),
        ("twin-language-topographic", None, 0.01),
        ("twin-language-baseline", None, 0.01),
    ],
)
def test_the_twins_that_come_with_brodmann_do_what_their_cards_say(name, accuracy, loss, request):
    from brodmann.models.training.load import card_of

    card, model = card_of(name), load_model(name)
    layout = "native" if name.endswith("topographic") else "row-major"
    assert {model.sheet(one).layout for one in model.layers if model.sheet(one)} == {layout}
    if accuracy is not None:
        found = evaluate(card.recipe, drawn_images(card.recipe.size), model.module)
        assert found["accuracy"] == pytest.approx(card.results["accuracy"], abs=accuracy)
    else:
        text = corpus(request.getfixturevalue("test_data") / "wikitext-2")
        assert card.recipe.key(text.digest) == card.data
        found = evaluate(card.recipe, text, model.module)
        assert found["loss"] == pytest.approx(card.results["loss"], abs=loss)


def test_compiling_is_chosen_by_the_length_of_the_run():
    assert loop.pays_to_compile("cuda", 8_000)
    assert not loop.pays_to_compile("cuda", 7_999)
    assert not loop.pays_to_compile("cpu", 10**6)


@pytest.mark.parametrize("schedule", ["constant", "decay"])
def test_a_step_that_is_compiled_whole_is_the_step_as_it_is(images, tmp_path, monkeypatch, schedule):
    """The graph, run as it was traced: one graph for all steps, with the topographic loss and its strength in it."""
    recipe = tiny(tau=2.0, schedule=schedule)
    graphs = []

    def traced(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda one: compiler(one, backend=traced, fullgraph=True))
    torch.compiler.reset()
    card = train(recipe, images, tmp_path / "compiled", compiled=True)
    assert len(graphs) == 1
    assert "cosine_similarity" in str(graphs[0].graph)
    plain = train(recipe, images, tmp_path / "plain")
    assert card.made_with["compile"] is True
    assert plain.made_with["compile"] is False
    for name, value in plain.results.items():
        assert card.results[name] == pytest.approx(value, abs=1e-4), name


def test_the_card_says_what_weights_were_made_on(images, tmp_path):
    made_with = train(tiny(), images, tmp_path).made_with
    assert (made_with["device"], made_with["autocast"], made_with["compile"]) == ("cpu", "none", False)
    assert "card" not in made_with


def test_data_lie_where_a_card_has_room(monkeypatch):
    """A tensor of no memory stands for the card's."""
    data, where = [torch.zeros(10, dtype=torch.uint8), torch.zeros(5)], torch.device("cuda")
    assert loop.resident(data, torch.device("cpu")) is data
    moved = []
    monkeypatch.setattr(torch.Tensor, "to", lambda one, to: moved.append((one, to)) or one)
    for free, n_moved in ((59, 0), (60, 2)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 10**9))
        moved.clear()
        loop.resident(data, where)
        assert len(moved) == n_moved
        assert all(to == where for _, to in moved)


@pytest.mark.parametrize("name", ["gpu", "cuda:7", "mps"])
def test_a_device_that_is_not_there_is_one_line_before_anything_is_written(
    images, tmp_path, name, monkeypatch
):
    monkeypatch.setattr("brodmann.device._n_cards", lambda: 1)
    monkeypatch.setattr("brodmann.device._has_mps", lambda: False)
    with pytest.raises(UserError, match=f"device '{name}' cannot be used here"):
        train(tiny(), images, tmp_path / "none", device=name)
    assert not (tmp_path / "none").exists()
