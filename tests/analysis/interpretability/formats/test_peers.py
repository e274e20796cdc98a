"""Our readers and writers beside the peers' own packages, where one has them installed."""

import json

import pytest
import torch

from brodmann.analysis.interpretability.formats.base import DICTIONARY_FORMATS, read_dictionary

from .definitions import D, F, rows, sae_tensors, write_sae
from .test_formats import SAE

X = torch.from_numpy(rows(5, 400))


def _alike(ours, codes, made):
    assert int((codes != 0).sum()) > 200
    assert float((ours.encode(X).dense() - codes).abs().max()) < 1e-5
    assert float((ours.reconstruct(X) - made).abs().max()) < 1e-5


@pytest.mark.parametrize("settings", SAE, ids=lambda one: "-".join(map(str, one.values())))
def test_saelens_reads_and_writes_the_same(settings, tmp_path):
    sae = pytest.importorskip("sae_lens", reason="SAELens is not installed").SAE
    if settings["architecture"].endswith("batchtopk"):
        pytest.skip("SAELens loads checkpoints of training as another class")
    tensors = sae_tensors(settings["architecture"], settings.get("d_out", D))
    folder = write_sae(tmp_path / "a", tensors, device="cpu", **settings)
    ours = read_dictionary(folder)
    DICTIONARY_FORMATS["saelens"].write(ours, tmp_path / "b")
    for one in (folder, tmp_path / "b"):
        theirs = sae.load_from_disk(str(one))
        with torch.no_grad():
            _alike(ours, theirs.encode(X), theirs(X))


@pytest.mark.parametrize("transcode", [False, True])
def test_sparsify_reads_and_writes_the_same(transcode, tmp_path):
    package = pytest.importorskip("sparsify", reason="sparsify is not installed")
    torch.manual_seed(1)
    settings = package.SparseCoderConfig(num_latents=F, k=5, transcode=transcode, skip_connection=transcode)
    coder = package.SparseCoder(D, settings)
    for one in coder.parameters():
        one.data = one.data + 0.3 * torch.randn_like(one)
    coder.save_to_disk(tmp_path / "layers.0")
    ours = read_dictionary(tmp_path / "layers.0")
    DICTIONARY_FORMATS["sparsify"].write(ours, tmp_path / "layers.1")
    for name in ("layers.0", "layers.1"):
        with torch.no_grad():
            out = package.SparseCoder.load_from_disk(tmp_path / name)(X)
        _alike(ours, torch.zeros(len(X), F).scatter_(1, out.latent_indices, out.latent_acts), out.sae_out)


@pytest.mark.parametrize(
    "kind",
    ["AutoEncoder", "AutoEncoderNew", "AutoEncoderTopK", "BatchTopKSAE", "GatedAutoEncoder", "JumpReluAutoEncoder",
     "MatryoshkaBatchTopKSAE"],
)  # fmt: skip
def test_dictionary_learning_reads_the_same(kind, tmp_path):
    package = pytest.importorskip("dictionary_learning.utils", reason="dictionary_learning is not installed")
    more = {"AutoEncoderTopK": (5,), "BatchTopKSAE": (5,), "MatryoshkaBatchTopKSAE": (5, [10, 30])}
    torch.manual_seed(2)
    one = getattr(package, kind)(D, F, *more.get(kind, ()))
    for parameter in one.parameters():
        parameter.data = parameter.data + 0.2 * torch.randn_like(parameter)
    if kind in ("BatchTopKSAE", "MatryoshkaBatchTopKSAE"):
        one.threshold.fill_(0.3)
    torch.save(one.state_dict(), tmp_path / "ae.pt")
    (tmp_path / "config.json").write_text(json.dumps({"trainer": {"dict_class": kind, "k": 5}}))
    theirs, _ = package.load_dictionary(str(tmp_path), "cpu")
    with torch.no_grad():
        codes = theirs.encode(X)
        _alike(read_dictionary(tmp_path), codes, theirs.decode(codes))
