"""Picture files: what looks the same enters as the same, and what cannot be known is refused before it is decoded."""

import subprocess
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from brodmann import UserError
from brodmann.bench.cli.found import found, found_text
from brodmann.brain_data.catalogue import add_dataset, load_dataset
from brodmann.brain_data.stimuli import pictures
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.files import home
from brodmann.models import ImagePreprocessing, VisionModel

UPRIGHT = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
STORED = {  # what lies in the file where EXIF says how to turn it
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.swapaxes(0, 1),
    6: np.rot90(UPRIGHT),
    7: UPRIGHT[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90(UPRIGHT, -1),
}


def read(path, background=pictures.BACKGROUND):
    with pictures.opened(path, background=background) as picture:
        return np.asarray(picture)


def shown(paths, **columns):
    names = [f"s{i}" for i in range(len(paths))]
    stimuli = StimulusSet({"stimulus_id": names, "filename": [path.name for path in paths], **columns})
    stimuli.stimulus_paths = dict(zip(names, paths, strict=True))
    return stimuli


def looking(**options):
    return VisionModel(
        torch.nn.Sequential(torch.nn.Flatten()), identifier="looking", preprocess=ImagePreprocessing(8),
        layers=["0"], **options,
    )  # fmt: skip


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_exif_says(tmp_path, orientation, ending):
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"turned.{ending}"
    options = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(np.ascontiguousarray(STORED[orientation])).save(path, exif=exif, **options)
    np.testing.assert_array_equal(read(path), UPRIGHT)


def test_a_photo_is_turned_and_broken_exif_turns_nothing(tmp_path):
    big = np.kron(UPRIGHT, np.ones((16, 16, 1), np.uint8))
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(big[::-1, ::-1].copy()).save(tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0)
    Image.fromarray(big).save(tmp_path / "b.jpg", exif=b"Exif\0\0XX*\0garbage", quality=95, subsampling=0)
    turned, plain = read(tmp_path / "a.jpg").astype(int), read(tmp_path / "b.jpg").astype(int)
    assert np.abs(turned - big).max() < 40
    assert np.abs(plain - big).max() < 40


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB key", "L key"])
@pytest.mark.parametrize(("background", "level"), [("#808080", 128), ("white", 255)])
def test_what_lies_below_transparency_is_never_seen(tmp_path, mode, background, level):
    seen = np.zeros((8, 8), bool)
    seen[2:5, 3:7] = True
    for name, hidden in (("a", 0), ("b", 77)):
        gray = np.where(seen, 200, hidden).astype(np.uint8)
        path = tmp_path / f"{name}.png"
        if mode == "RGBA":
            stacked = np.stack([gray, gray, gray, 255 * seen.astype(np.uint8)], axis=2)
            Image.fromarray(stacked).save(path)
        elif mode == "LA":
            Image.fromarray(np.stack([gray, 255 * seen.astype(np.uint8)], axis=2)).save(path)
        elif mode == "P":
            palette = Image.fromarray(seen.astype(np.uint8), "L").convert("P")
            palette.putpalette([hidden] * 3 + [200] * 3)
            palette.save(path, transparency=0)
        else:
            one = Image.fromarray(gray).convert(mode.split()[0])
            one.save(path, transparency=(hidden,) * 3 if mode == "RGB key" else hidden)
        expected = np.where(seen, 200, level)[:, :, None].repeat(3, axis=2)
        np.testing.assert_array_equal(read(path, background), expected)


def test_half_transparent_parts_are_mixed_with_the_background(tmp_path):
    Image.new("RGBA", (2, 2), (200, 100, 0, 102)).save(tmp_path / "a.png")  # 0.4
    np.testing.assert_allclose(read(tmp_path / "a.png", "white")[0, 0], [233, 193, 153], atol=1)


def test_models_see_two_files_that_look_alike_alike_and_say_how_they_look(tmp_path):
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(UPRIGHT).save(tmp_path / "a.png")
    Image.fromarray(UPRIGHT[::-1, ::-1].copy()).save(tmp_path / "b.png", exif=exif)
    Image.new("RGBA", (9, 6), (255, 0, 0, 0)).save(tmp_path / "c.png")
    Image.new("RGBA", (9, 6), (0, 0, 255, 0)).save(tmp_path / "d.png")
    paths = [tmp_path / f"{one}.png" for one in "abcd"]
    model = looking(cache=False)
    turned, same, red, blue = model.extract(shown(paths))["0"].values
    np.testing.assert_array_equal(turned, same)
    np.testing.assert_array_equal(red, blue)
    on_white = model.extract(shown(paths, background_color=["gray", "gray", "white", "#fff"]))["0"].values
    np.testing.assert_array_equal(on_white[:2], [turned, same])
    assert (on_white[2:] > red.max()).all()
    assert "EXIF" in model.methods["pictures"]
    assert pictures.BACKGROUND in model.methods["pictures"]
    with pytest.raises(UserError, match="background_color of stimulus 's1' is 'beach'"):
        model.extract(shown(paths[:2], background_color=["gray", "beach"]))


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_16_bits_are_scaled_and_their_key_is_transparent(tmp_path, dtype):
    values = np.array([[0, 257], [32896, 65535]], np.uint16)
    Image.fromarray(values.astype(dtype)).save(tmp_path / "deep.tif")
    np.testing.assert_array_equal(read(tmp_path / "deep.tif")[:, :, 0], [[0, 1], [128, 255]])
    Image.fromarray(values).save(tmp_path / "deep.png", transparency=65535)
    np.testing.assert_array_equal(read(tmp_path / "deep.png", "black")[:, :, 0], [[0, 1], [128, 0]])


def test_16_bits_whose_0_is_white_are_turned_about(tmp_path):
    values = np.array([[0, 257], [32896, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "negative.tif", tiffinfo={262: 0})
    np.testing.assert_array_equal(read(tmp_path / "negative.tif")[:, :, 0], [[255, 254], [127, 0]])


def test_other_modes_are_seen_in_rgb(tmp_path):
    Image.fromarray(np.eye(4).astype(bool)).save(tmp_path / "one_bit.png")
    np.testing.assert_array_equal(read(tmp_path / "one_bit.png")[:, :, 1], 255 * np.eye(4))
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "print.tif")
    np.testing.assert_array_equal(read(tmp_path / "print.tif")[0, 0], [255, 0, 0])
    for mode in ("F", "I"):
        Image.new(mode, (4, 4)).save(tmp_path / f"{mode}.tif")
        with pytest.raises(UserError, match="cannot be read"):
            read(tmp_path / f"{mode}.tif")


@pytest.mark.parametrize("ending", ["gif", "tif", "webp", "png"])
def test_several_frames_are_refused_and_one_is_read(tmp_path, ending):
    frames = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in (10, 200)]
    frames[0].save(tmp_path / f"film.{ending}", save_all=True, append_images=frames[1:])
    with pytest.raises(UserError, match="several frames or pages"):
        read(tmp_path / f"film.{ending}")
    frames[1].save(tmp_path / f"still.{ending}", save_all=True)
    assert np.abs(read(tmp_path / f"still.{ending}").astype(int) - 200).max() < 3


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize(
    "content", [POSTSCRIPT, b"P6\n2 2\n255\n" + b"\0" * 12, b"%PDF-1.4\n", b"<svg/>", b"not a picture", b""]
)
def test_other_formats_are_refused_whatever_their_name(tmp_path, content, monkeypatch):
    def started(*arguments, **options):
        raise AssertionError(f"a program was started: {arguments}")

    monkeypatch.setattr(subprocess, "Popen", started)
    (tmp_path / "s0.png").write_bytes(content)
    with pytest.raises(UserError, match="none of PNG, JPEG, TIFF, BMP, GIF, WEBP") as found:
        looking().extract(shown([tmp_path / "s0.png"]))
    assert "\n" not in str(found.value)


def test_a_picture_by_another_ending_is_read_by_its_content(tmp_path):
    Image.fromarray(UPRIGHT).save(tmp_path / "a.bmp")
    (tmp_path / "a.bmp").rename(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png"), UPRIGHT)


@pytest.mark.parametrize("side", [13_000, 9_000, 20_000])
def test_the_size_is_looked_at_before_decoding(tmp_path, side, recwarn):
    Image.new("1", (side, side)).save(tmp_path / "large.png")
    start = time.perf_counter()
    with pytest.raises(UserError, match=f"{side} x {side}: at most 67 million pixels|exceeds limit"):
        read(tmp_path / "large.png")
    assert time.perf_counter() - start < 1
    assert not recwarn.list


def test_readers_wait_for_each_others_memory(tmp_path, monkeypatch):
    Image.new("RGB", (1000, 1000)).save(tmp_path / "a.png")
    monkeypatch.setenv(
        "BRODMANN_MEMORY_GB", str(100e6 / 2**30)
    )  # room for one of 32 MB beside the other half
    at_once, most, lock = 0, 0, threading.Lock()

    def look():
        nonlocal at_once, most
        with pictures.opened(tmp_path / "a.png"):
            with lock:
                at_once += 1
                most = max(most, at_once)
            time.sleep(0.02)
            with lock:
                at_once -= 1

    readers = [threading.Thread(target=look) for _ in range(6)]
    for one in readers:
        one.start()
    for one in readers:
        one.join(20)
    assert most <= 2
    assert pictures._ROOM._held == 0
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "0.01")
    with pytest.raises(UserError, match="takes about 30 MiB to read and 10 MiB are free"):
        read(tmp_path / "a.png")


def test_data_add_refuses_before_anything_is_installed_and_says_what_is_alike(tmp_path):
    folder = tmp_path / "own"
    (folder / "stimuli").mkdir(parents=True)
    names = [f"s{i}" for i in range(8)]
    (folder / "stimuli.csv").write_text(
        "stimulus_id,filename\n" + "".join(f"{one},{one}.png\n" for one in names)
    )
    draw = np.random.default_rng(0)
    for name in names:
        Image.fromarray(draw.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(
            folder / "stimuli" / f"{name}.png"
        )
    np.savez(folder / "responses.npz", responses=draw.normal(size=(8, 3)), stimulus_id=names)
    (folder / "stimuli" / "s3.png").write_bytes(POSTSCRIPT)
    with pytest.raises(UserError, match="stimulus 's3' cannot be read"):
        add_dataset("pictures-of-my-own", folder)
    assert not (home() / "data" / "pictures-of-my-own").exists()
    (folder / "stimuli" / "s3.png").write_bytes((folder / "stimuli" / "s5.png").read_bytes())
    add_dataset("pictures-of-my-own", folder)
    said = found(load_dataset("pictures-of-my-own"), folder)
    line = "2 stimuli are the same as others under another id (first: 's3' and 's5')"
    assert said["alike"] == [line]
    assert line in found_text(said)
