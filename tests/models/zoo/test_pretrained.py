"""The catalogue's trained networks see what is in a picture."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from brodmann import UserError, add_dataset, add_model, load_dataset, load_model
from brodmann.models.weights.state_dict import read_weights

FOLDERS = {
    "cifar10-resnet20": "cifar10-resnets",
    "cifar10-resnet32": "cifar10-resnets",
    "squeezenet1_0": "squeezenet1_0-deepcompression",
    "mobilenetv2_100": "mobilenetv2_100-tf2ptq",
}
CARS = {407, 436, 468, 511, 609, 627, 656, 661, 705, 717, 751, 817, 864, 581, 575}
SOME = {402, 420, 432, 486, 494, 513, 541, 546, 558, 566, 577, 579}
OTHERS = {593, 594, 642, 683, 684, 687, 699, 776, 822, 875, 881, 889}
INSTRUMENTS = SOME | OTHERS


@pytest.fixture(params=FOLDERS)
def name(request, test_weights):
    add_model(request.param, test_weights / FOLDERS[request.param])
    return request.param


def logits(model, paths):
    batch = torch.stack([model.preprocess(Image.open(path).convert("RGB")) for path in paths])
    with torch.inference_mode():
        return model.module(batch)


def test_weights_fit_and_every_layer_answers(name, pictures):
    model = load_model(name)
    found = model.extract(pictures.iloc[:2])
    assert list(found) == model.layers
    for values in found.values():
        assert np.ptp(values.values) > 0


@pytest.mark.parametrize("network", ["squeezenet1_0", "mobilenetv2_100"])
def test_imagenet_networks_name_the_objects_of_real_pictures(network, test_weights, test_data):
    add_model(network, test_weights / FOLDERS[network])
    model = load_model(network)
    hits = {}
    for folder, classes in (("car", CARS), ("instrument", INSTRUMENTS)):
        paths = sorted((test_data / "floc-subset" / folder).glob("*.[jp][pn]g"))
        best = logits(model, paths).topk(5).indices.tolist()
        hits[folder] = np.mean([bool(classes & set(five)) for five in best])
    print(network, hits)
    assert hits["car"] > 0.6
    assert hits["instrument"] > 0.5


@pytest.mark.parametrize("network", ["cifar10-resnet20", "cifar10-resnet32"])
def test_cifar_networks_tell_animals_from_vehicles(network, test_weights, test_data):
    """Among the 92 object images, animals get animal classes (2-7) and the rest vehicles (0, 1, 8, 9)."""
    add_model(network, test_weights / FOLDERS[network])
    add_dataset("kriegeskorte2008", test_data / "kriegeskorte2008-92")
    stimuli = load_dataset("kriegeskorte2008").stimuli
    found = logits(load_model(network), [stimuli.stimulus_paths[one] for one in stimuli["stimulus_id"]])
    margin = found[:, 2:8].logsumexp(1) - found[:, [0, 1, 8, 9]].logsumexp(1)
    assert roc_auc_score(stimuli["animal"].astype(int), margin.numpy()) > 0.7


def test_damaged_weights_are_named_and_change_nothing(test_weights, tmp_path, brodmann_home):
    source = tmp_path / "weights"
    source.mkdir()
    content = (test_weights / "cifar10-resnets" / "resnet20-12fca82f.th").read_bytes()
    (source / "resnet20-12fca82f.th").write_bytes(content[:-100] + bytes(100))
    add_model("cifar10-resnet20", test_weights / "cifar10-resnets")
    with pytest.raises(UserError, match="is not the file that cifar10-resnet20 needs"):
        add_model("cifar10-resnet20", source)
    load_model("cifar10-resnet20")  # the good weights are still there
    installed = brodmann_home / "models" / "cifar10-resnet20" / "resnet20-12fca82f.th"
    installed.write_bytes(content[:1000])
    with pytest.raises(UserError, match="cifar10-resnet20 is damaged"):
        load_model("cifar10-resnet20")
    add_model("cifar10-resnet20", test_weights / "cifar10-resnets")


def test_weights_of_another_network_do_not_fit(test_weights, tmp_path):
    from brodmann.models.architectures.cifar_resnet import CifarResNet
    from brodmann.models.weights.state_dict import load_into

    path = test_weights / "cifar10-resnets" / "resnet32-d509ac18.th"
    with pytest.raises(UserError, match=r"does not fit CifarResNet: it holds an unexpected 'layer1.3"):
        load_into(CifarResNet(3), read_weights(path), path)
