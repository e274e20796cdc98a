"""Torch files are read without running anything, and nothing is made that is larger than the file."""

import io
import pickle
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

from brodmann import UserError
from brodmann.models.weights.state_dict import read_weights

STATE = {
    "transposed": torch.arange(12.0).reshape(3, 4).T,
    "part": torch.arange(10.0)[2:5],
    "empty": torch.empty(0, 3),
    "one": torch.tensor(3.0),
    "parameter": torch.nn.Parameter(torch.ones(2, 2)),
    "integers": torch.arange(5),
    "half": torch.ones(2, dtype=torch.float16),
    "bfloat16": torch.ones(7, dtype=torch.bfloat16),
    "float8": torch.ones(5).to(torch.float8_e4m3fn),
    "uint16": torch.ones(3).to(torch.uint16),
    "complex": torch.ones(3, dtype=torch.complex64),
    "flags": torch.tensor([True, False]),
}


@pytest.mark.parametrize("archive", [True, False])
def test_both_layouts_of_torch_give_what_torch_gives(tmp_path, archive):
    path = tmp_path / "weights.pt"
    beside = {"best": np.float64(3.0), "history": np.arange(3), "more": defaultdict(dict), "epoch": 3}
    torch.save({"state_dict": STATE, **beside}, path, _use_new_zipfile_serialization=archive)
    found = read_weights(path)
    assert set(found) == set(STATE)
    for name, value in STATE.items():
        assert found[name].dtype == value.dtype
        assert found[name].shape == value.shape
        plain = torch.complex64 if value.is_complex() else torch.float64
        assert torch.equal(found[name].to(plain), value.detach().to(plain)), name


@pytest.mark.parametrize("file", ["resnet20-12fca82f.th", "resnet32-d509ac18.th"])
def test_a_real_file_of_old_torch(test_weights, file):
    path = test_weights / "cifar10-resnets" / file
    expected = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    found = read_weights(path)
    assert len(found) == len(expected)
    for name, value in expected.items():
        assert torch.equal(found[name.removeprefix("module.")], value)


def repacked(path, change, compression=zipfile.ZIP_STORED):
    """A torch archive with other parts."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    key = next(name for name in parts if name.endswith("data.pkl"))
    change(parts, key)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, value in parts.items():
            archive.writestr(name, value)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"state_dict": {"w": torch.arange(6.0)}}, path)
    return path


@pytest.fixture
def no_more_memory():
    """What is read here takes little."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = peak_gib()
    yield
    assert peak_gib() - before < 0.5


def peak_gib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 2**20


def test_a_compressed_archive_is_refused_before_it_is_unpacked(archive, no_more_memory):
    with zipfile.ZipFile(archive) as found:
        parts = {name: found.read(name) for name in found.namelist()}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for name, value in parts.items():
            if name.endswith("data/0"):
                with made.open(name, "w", force_zip64=True) as stream:
                    for _ in range(1024):  # a GiB of zeros, in a MiB
                        stream.write(bytes(1 << 20))
            else:
                made.writestr(name, value)
    assert archive.stat().st_size < 1 << 23
    with pytest.raises(UserError, match="it is compressed, which torch's archives are not"):
        read_weights(archive)


PICKLES = {
    "a memo of 4 billion": (b"\x80\x02}r\xff\xff\xff\xff.", "holds no tensors"),
    "bytes of an exabyte": (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x0f.", "damaged"),
    "a byte array of 8 GiB": (b"\x80\x05\x96\x00\x00\x00\x00\x02\x00\x00\x00.", "damaged"),
    "bytearray(8 GiB)": (
        b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x02\x85R.", "refused .it names builtins.bytearray",
    ),
    "os.system": (pickle.dumps({"w": io.BytesIO}), "could execute code: refused"),
}  # fmt: skip


@pytest.mark.parametrize("case", PICKLES)
def test_a_pickle_cannot_ask_for_more_than_it_holds(archive, case, no_more_memory):
    instructions, message = PICKLES[case]
    repacked(archive, lambda parts, key: parts.update({key: instructions}))
    with pytest.raises(UserError, match=message):
        read_weights(archive)


def test_entries_that_declare_more_than_the_file_has(archive, no_more_memory):
    content = bytearray(archive.read_bytes())
    central = content.rfind(b"PK\x01\x02")
    content[central + 20 : central + 28] = b"\xff\xff\xff\x7f" * 2
    archive.write_bytes(content)
    with pytest.raises(UserError, match="its entries are longer than the file|damaged"):
        read_weights(archive)


def test_an_old_file_that_declares_a_longer_storage(tmp_path, no_more_memory):
    path = tmp_path / "old.pt"
    torch.save({"w": torch.arange(6.0)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    place = content.rfind((6).to_bytes(8, "little"))
    path.write_bytes(content[:place] + (2**40).to_bytes(8, "little") + content[place + 8 :])
    with pytest.raises(UserError, match="its storages are longer than the file"):
        read_weights(path)


def test_a_tar_file_and_a_plain_pickle_are_no_torch_files(tmp_path):
    path = tmp_path / "weights.pt"
    with tarfile.open(path, "w") as made:
        made.add(__file__, "pickle")
    with pytest.raises(UserError, match="damaged or not a torch file"):
        read_weights(path)
    path.write_bytes(pickle.dumps({"w": [1, 2]}))
    with pytest.raises(UserError, match="it does not begin as torch's files do"):
        read_weights(path)


def test_what_a_file_sets_on_what_it_is_given_stays_in_that_file(archive):
    # BUILD sets defaults on the function that rebuilds tensors, if the same one is handed out again
    hostile = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x05\x00\x00\x00otherK\x01s\x86b."
    repacked(archive, lambda parts, key: parts.update({key: hostile}))
    with pytest.raises(UserError):
        read_weights(archive)
    from brodmann.models.weights import checkpoint

    assert not hasattr(checkpoint._tensor, "other")


def test_a_file_larger_than_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch, no_more_memory):
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "0.6")
    for suffix in ("pt", "safetensors"):
        path = tmp_path / f"weights.{suffix}"
        with path.open("wb") as stream:
            stream.truncate(200 << 20)  # sparse
        with pytest.raises(
            UserError, match=r"would take about 0.7 GiB of memory and 0.6 GiB are free: keep its weights"
        ):
            read_weights(path)


def test_a_safetensors_header_that_declares_more_than_the_file_has(tmp_path, no_more_memory):
    path = tmp_path / "weights.safetensors"
    header = b'{"w":{"dtype":"F32","shape":[1073741824],"data_offsets":[0,4294967296]}}'
    for content in (
        len(header).to_bytes(8, "little") + header + bytes(64),
        (2**40).to_bytes(8, "little") + header,
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is not a readable safetensors file"):
            read_weights(path)
