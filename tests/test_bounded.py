"""Files of strangers are bounded before they are read: by memory, by their folder, by how deep they are nested."""

import gzip
import json
import os
import socket
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import run_brodmann
from PIL import Image

from brodmann import UserError
from brodmann.bounded import check_ends, check_npz, check_plain, read_npz, require_for_nifti
from brodmann.brain_data.catalogue import add_dataset, list_datasets
from brodmann.brain_data.timeseries.block_patterns import read_image
from brodmann.errors import printable
from brodmann.files import read_json, read_toml

N = 20
GIB = 1 << 30


@pytest.fixture
def folder(tmp_path) -> Path:
    """Texts and responses that are read without a word."""
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = [{"stimulus_id": f"s{i}", "sentence": f"sentence number {i}"} for i in range(N)]
    pd.DataFrame(rows).to_csv(folder / "stimuli.csv", index=False)
    responses = np.random.default_rng(0).normal(size=(N, 5))
    np.savez(folder / "responses.npz", responses=responses, stimulus_id=[f"s{i}" for i in range(N)])
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


PEAK = """
def peak():  # of this program alone: what getrusage says begins with what its parent held
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
ADD = """
import sys
from brodmann.bench.cli.main import app
import brodmann.brain_data.formats.folder, scipy.io, h5py, netCDF4, xarray
before = peak()
from brodmann import UserError
from brodmann.brain_data.catalogue import add_dataset
try:
    add_dataset("mine", sys.argv[1])
    print("taken")
except UserError as error:
    print(error)
print(peak() - before)
"""


def said_and_grown(script, path, gigabytes):
    """What a script says of a path, and by how many MiB the most that its process held grew meanwhile."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK + script, str(path)], capture_output=True, text=True,
        env=os.environ | {"BRODMANN_MEMORY_GB": gigabytes},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said, grown = done.stdout.splitlines()
    return said, int(grown) / 1024


def added(folder, gigabytes="1"):
    """What ``data add`` says of a folder, and by how many MiB the process grew."""
    return said_and_grown(ADD, folder, gigabytes)


def zeros_npy(stream, shape, n_bytes):
    """An array whose header says `shape`, and so many bytes of zeros."""
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    for _ in range(n_bytes >> 24):
        stream.write(bytes(1 << 24))


def npz_bomb(path):
    """3 MB that inflate to 3.1 GB."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("responses.npy", "w", force_zip64=True) as stream,
    ):
        zeros_npy(stream, (N, 3 * GIB // 8 // N), 3 * GIB)


def npz_that_declares_more(path):
    with zipfile.ZipFile(path, "w") as archive, archive.open("responses.npy", "w") as stream:
        zeros_npy(stream, (N, 1 << 34), 1 << 24)


def npz_of_rare_packing(path):
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive,
        archive.open("responses.npy", "w") as stream,
    ):
        zeros_npy(stream, (N, (1 << 27) // 8 // N), 1 << 27)


def netcdf_bomb(path):
    import netCDF4

    with netCDF4.Dataset(path, "w") as stored:
        stored.createDimension("presentation", N)
        stored.createDimension("neuroid", 1 << 28)
        stored.createVariable(
            "responses", "f8", ("presentation", "neuroid"), zlib=True, chunksizes=(1, 1 << 16)
        )


def netcdf_of_one_huge_chunk(path):
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("responses", (1,), "f8", maxshape=(None,), chunks=(1 << 28,), compression="gzip")


def matlab_bomb(path):
    import zlib

    n = 1 << 30
    packer, size = zlib.compressobj(1), 8 * 5 + 16 + n
    name = b"responses".ljust(16, b"\0")
    head = struct.pack("<II", 14, size + 16)
    head += struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIii", 5, 8, N, n // 8 // N)
    head += struct.pack("<II", 1, 9) + name + struct.pack("<II", 9, n)
    packed = packer.compress(head)
    for _ in range(n >> 24):
        packed += packer.compress(bytes(1 << 24))
    packed += packer.flush()
    text = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    path.write_bytes(text + struct.pack("<II", 15, len(packed)) + packed)


def sparse_matrix(path):
    import scipy.io
    import scipy.sparse

    scipy.io.savemat(path, {"responses": scipy.sparse.csc_matrix((1 << 20, 1 << 12))}, do_compression=True)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("responses.npz", npz_bomb, "GiB of memory"),
        ("responses.npz", npz_that_declares_more, "says that it holds"),
        ("responses.npz", npz_of_rare_packing, "packed in a rare way"),
        ("responses.nc", netcdf_bomb, "GiB of memory"),
        ("responses.nc", netcdf_of_one_huge_chunk, "GiB of memory"),
        ("responses.mat", matlab_bomb, "GiB of memory"),
        ("responses.mat", sparse_matrix, "GiB of memory"),
    ],
)
def test_a_small_file_that_would_fill_memory_is_refused_before_it_does(folder, home, name, make, message):
    (folder / "responses.npz").unlink()
    make(folder / name)
    assert (folder / name).stat().st_size < 1 << 25
    said, grown = added(folder)
    assert message in said
    assert grown < 100  # MiB
    assert not (home / "data" / "mine").exists()


def test_what_fits_is_read_and_less_memory_refuses_it(folder):
    values = np.random.default_rng(0).normal(size=(N, 400_000))
    np.savez(folder / "responses.npz", responses=values, stimulus_id=[f"s{i}" for i in range(N)])
    said, _ = added(folder, "0.6")
    assert "responses.npz would take about 0.6 GiB" in said or "GiB of memory and 0.6 GiB are free" in said
    assert added(folder, "8")[0] == "taken"


READ = """
import sys
from pathlib import Path
import nibabel
from brodmann import UserError
from brodmann.brain_data.timeseries.block_patterns import read_image
before = peak()
try:
    print("of shape", read_image(Path(sys.argv[1]))[0].shape)
except UserError as error:
    print(error)
print(peak() - before)
"""


def image_read(path, gigabytes="1"):
    """What reading a NIfTI image says, and by how many MiB the process grew."""
    return said_and_grown(READ, path, gigabytes)


def nifti(shape, kind=np.int16, version=1, **fields):
    """The header of an image, and the four bytes after it that say that nothing extends it."""
    import nibabel

    header = (nibabel.Nifti1Header if version == 1 else nibabel.Nifti2Header)()
    header.set_data_dtype(kind)
    header.set_data_shape(shape)
    header["vox_offset"] = header.single_vox_offset
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + bytes(4)


def extended(before, *sizes):
    """A header that says how long its extensions are, with the first bytes of each."""
    head = bytearray(nifti((4, 4, 4), vox_offset=before))
    head[348] = 1
    return bytes(head) + b"".join(struct.pack("<ii", size, 0) for size in sizes)


def zeros_after(head, n_bytes):
    """A gzip of a header and so many bytes of zeros."""

    def make(path):
        with gzip.open(path, "wb", compresslevel=1) as stream:
            stream.write(head)
            for _ in range(n_bytes >> 24):
                stream.write(bytes(1 << 24))

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (zeros_after(nifti((1 << 10, 1 << 10, 1 << 10)), 2 * GIB), "GiB of memory"),
        (zeros_after(nifti((1 << 10, 1 << 10, 1 << 10), version=2), 0), "GiB of memory"),
        (zeros_after(nifti((1 << 40, 1 << 20, 1 << 20), version=2), 0), "GiB of memory"),
        (zeros_after(nifti((300, 300, 300)), 0), "says that it holds 54,000,000 bytes of numbers"),
        (zeros_after(nifti((-1, 1, 1), glmin=1 << 30), 0), "GiB of memory"),
        (zeros_after(nifti((4, 4, 4), vox_offset=1e30), 0), "its header is damaged"),
        (zeros_after(nifti((4, 4, 4), vox_offset=float("nan")), 0), "its header is damaged"),
        (zeros_after(nifti((4, 4, 4), vox_offset=1 << 31), GIB), "GiB of memory"),
        (zeros_after(nifti((4, 4, 4), dim=[3, -4, 4, 4, 1, 1, 1, 1]), 0), "its header is damaged"),
        (zeros_after(nifti((4, 4, 4), datatype=77), 0), "numbers of kind 77"),
        (zeros_after(extended(416, (1 << 31) - 16), GIB), "an extension of its header is damaged"),
        (zeros_after(extended(416, 0), GIB), "an extension of its header is damaged"),
        (zeros_after(extended(0, 1 << 30), GIB), "an extension of its header is damaged"),
        (zeros_after(b"no image", GIB), "it does not begin as one"),
        (lambda path: path.write_bytes(b""), "is not a readable NIfTI image"),
        (lambda path: path.write_bytes(gzip.compress(nifti((4, 4, 4)) + bytes(range(128)))[:-40]), "not a readable"),
    ],
)  # fmt: skip
def test_a_small_image_that_would_fill_memory_is_refused_before_it_does(tmp_path, make, message):
    make(tmp_path / "bold.nii.gz")
    assert (tmp_path / "bold.nii.gz").stat().st_size < 1 << 24
    said, grown = image_read(tmp_path / "bold.nii.gz")
    assert message in said
    assert "bold.nii.gz" in said
    assert ("is not a readable NIfTI image" in said) != ("GiB of memory" in said)
    assert grown < 100  # MiB


def test_an_image_that_is_not_packed_holds_no_more_than_its_file(tmp_path):
    (tmp_path / "bold.nii").write_bytes(nifti((300, 300, 300)) + bytes(1000))
    with pytest.raises(
        UserError, match="says that it holds 54,000,000 bytes of numbers, and has 1,352 bytes"
    ):
        require_for_nifti(tmp_path / "bold.nii")
    (tmp_path / "bold.mgz").write_bytes(b"x")
    with pytest.raises(UserError, match=r"neither \.nii nor \.nii\.gz"):
        require_for_nifti(tmp_path / "bold.mgz")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII.GZ"])
@pytest.mark.parametrize("version", [1, 2])
def test_an_image_that_fits_is_read_and_less_memory_refuses_it(tmp_path, name, version):
    import nibabel

    values = np.arange(64 * 64 * 64 * 12, dtype=np.int16).reshape(64, 64, 64, 12)
    image = (nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image)(values, np.diag([2, 2, 2, 1]))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"a note of some length"))
    nibabel.save(image, tmp_path / name)
    found, affine = read_image(tmp_path / name)
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(affine, np.diag([2, 2, 2, 1]))
    assert "GiB of memory and 0.5 GiB are free" in image_read(tmp_path / name, "0.51")[0]
    assert image_read(tmp_path / name, "0.6")[0] == "of shape (64, 64, 64, 12)"


LOOK = """
import sys
from pathlib import Path
from PIL import Image
from brodmann import UserError
from brodmann.brain_data.stimuli import pictures
Image.init()
before = peak()
try:
    with pictures.opened(Path(sys.argv[1])) as picture:
        print("of size", picture.size)
except UserError as error:
    print(error)
print(peak() - before)
"""


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.png", "L"),
        ("a.gif", "L"),
        ("a.tiff", "L"),
        ("a.webp", "RGB"),
        ("a.bmp", "1"),
        ("a.jpeg", "L"),
    ],
)
def test_a_small_picture_that_would_fill_memory_is_refused_before_it_does(tmp_path, name, mode):
    packed = {"compression": "tiff_adobe_deflate"} if name == "a.tiff" else {}
    Image.new(mode, (8000, 8000)).save(tmp_path / name, **packed)
    assert (tmp_path / name).stat().st_size < 1 << 23
    said, grown = said_and_grown(LOOK, tmp_path / name, "0.6")
    assert f"{name} (8000 x 8000) takes about 1953 MiB to read and 614 MiB are free" in said
    assert grown < 30  # MiB
    said, grown = said_and_grown(LOOK, tmp_path / name, "4")
    assert said == "of size (8000, 8000)"
    assert 100 < grown < 1953


def test_arrays_of_an_npz_come_back(tmp_path):
    stored = {"a": np.arange(12.0).reshape(3, 4), "b": np.array(["x", "yy"]), "c": np.float32(1)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **stored)
        for name, values in read_npz(tmp_path / "a.npz").items():
            np.testing.assert_array_equal(values, stored[name])
    check_npz(tmp_path / "absent.npz")  # whoever reads it says so


def test_zips_that_share_their_bytes_count_each_time(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(40):
            archive.writestr(f"{i}", bytes(1 << 24))
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "1")
    with pytest.raises(UserError, match="GiB of memory"):
        check_npz(tmp_path / "a.npz")


def link_out(folder):
    (folder / "more").symlink_to("/etc/hostname")


def link_to_zeros(folder):
    (folder / "stimuli.csv").unlink()
    (folder / "stimuli.csv").symlink_to("/dev/zero")


def link_in_a_circle(folder):
    (folder / "again").symlink_to(folder)


def link_to_nowhere(folder):
    (folder / "gone").symlink_to(folder / "nothing")


def pipe(folder):
    (folder / "responses.npz").unlink()
    os.mkfifo(folder / "responses.npz")


def unix_socket(folder):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(folder / "talk"))


def holes(folder):
    with (folder / "notes.bin").open("wb") as stream:
        stream.truncate(1 << 42)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (link_out, "more is a link out of its folder"),
        (link_to_zeros, r"stimuli.csv is a link out of its folder \(/dev/zero\)"),
        (link_in_a_circle, "again is a link to a folder"),
        (link_to_nowhere, "gone is a link to nowhere"),
        (pipe, r"responses.npz is a pipe \(FIFO\)"),
        (unix_socket, "talk is a socket"),
        (holes, r"notes.bin says that it has 4096.0 GiB, and 0.0 GiB are written \(a sparse file\): refused"),
    ],
)
def test_a_folder_of_other_things_than_files_is_refused_and_nothing_copied(
    folder, home, monkeypatch, spoil, message
):
    monkeypatch.chdir(folder)
    spoil(folder)
    with pytest.raises(UserError, match=message) as caught:
        add_dataset("mine", folder)
    assert "\n" not in str(caught.value)
    assert not list(home.rglob("*.csv"))


def test_links_inside_a_folder_are_followed(folder, home):
    (folder / "kept").mkdir()
    (folder / "stimuli.csv").rename(folder / "kept" / "table.csv")
    (folder / "stimuli.csv").symlink_to(folder / "kept" / "table.csv")
    add_dataset("mine", folder)
    assert not (home / "data" / "mine" / "stimuli.csv").is_symlink()
    check_plain(home / "data" / "mine")


def test_a_file_that_is_written_has_no_holes(tmp_path):
    (tmp_path / "zeros").write_bytes(bytes(1 << 27))
    check_ends(tmp_path / "zeros")


DEEP = 100_000


@pytest.mark.parametrize("text", ["[" * DEEP, '{"a":' * DEEP, "[" * 900 + "]" * 900 + "x", "1" * 9000])
def test_json_that_is_nested_too_deeply_is_one_line(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match="a.json is not readable JSON"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * DEEP,
        "a = " + "[" * 300 + "]" * 300,
        "[" + ".".join("a" * 300) + "]",
        "a = " + "1" * 9000,
    ],
)
def test_toml_that_is_nested_too_deeply_is_one_line_everywhere(tmp_path, folder, home, text):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(UserError, match="a.toml is not valid TOML"):
        read_toml(tmp_path / "a.toml")
    (folder / "dataset.toml").write_text(text)
    with pytest.raises(UserError, match="dataset.toml is not valid TOML"):
        add_dataset("mine", folder)
    (home / "data" / "other").mkdir(parents=True)
    (home / "data" / "other" / "dataset.toml").write_text(text)
    assert "other" in [one.identifier for one in list_datasets()]


def test_the_command_line_says_one_line_of_what_is_nested_too_deeply(tmp_path):
    (tmp_path / "a.toml").write_text("a = " + "[" * DEEP)
    run = tmp_path / "run"
    run.mkdir()
    (run / "a.json").write_text("[" * DEEP)
    for words in (
        ("benchmarks", "add", tmp_path / "a.toml"),
        ("compare", run, "--folder", tmp_path / "out"),
        ("submit", run, "--dry-run"),
    ):
        done = run_brodmann(*words)
        assert done.returncode == 2, (words, done)
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert "Traceback" not in done.stderr


ESCAPES = "\x1b]0;owned\x07\x1b[2Jgood\u202edoog\x9b31m"


def test_escape_codes_are_shown_and_not_obeyed():
    shown = printable(ESCAPES)
    assert not any(sign in shown for sign in "\x1b\x07\u202e\x9b")
    assert printable("größe 脳\n\t▏") == "größe 脳\n\t▏"
    assert "\x1b" not in str(UserError(f"no {ESCAPES}"))


def test_names_of_strangers_never_reach_the_terminal_as_codes(folder, home):
    table = pd.read_csv(folder / "stimuli.csv")
    values = np.random.default_rng(0).normal(size=(N, 5))
    np.savez(
        folder / "responses.npz", responses=values, stimulus_id=table["stimulus_id"].to_numpy(str),
        region=np.array([f"V1{ESCAPES}"] * 5),
    )  # fmt: skip
    (folder / "dataset.toml").write_text(f"title = {json.dumps(ESCAPES)}\nlicense = {json.dumps(ESCAPES)}\n")
    for words in (
        ("data", "add", "mine", "--from", folder),
        ("data", "list"),
        ("data", "info", "mine"),
        ("data", "info", f"mine{ESCAPES}"),
        ("score", "brain", "mine.V2-ridge"),
        ("data", "add", "mine", "--from", f"{folder}{ESCAPES}"),
    ):
        done = run_brodmann(*words)
        said = done.stdout + done.stderr
        assert not any(sign in said for sign in "\x1b\x07\u202e\x9b"), (words, said)
        assert "Traceback" not in said, said
