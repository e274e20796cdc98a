"""Pickles of strangers: numbers and texts come back, and nothing that a file names is run."""

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brodmann.errors import UserError
from brodmann.pickles import is_pickled, read_plain_pickle

CONTENT = {
    "epochs": np.random.default_rng(0).normal(size=(200, 4, 17, 20)),
    "columns first": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "large, columns first": np.asfortranarray(np.random.default_rng(1).normal(size=(500, 400))),
    "big-endian": np.arange(5, dtype=">i4"),
    "names": ["Pz", "Ü"],
    "texts": np.array(["O1", "Oz"]),
    "objects": np.array(["a", 1, None], object),
    "one": np.float32(0.5),
    "whole": np.int64(-3),
    "text": np.str_("é"),
    "empty": np.zeros((0, 3)),
    "n": 7,
}


def check(found: dict[str, Any]) -> None:
    assert list(found) == list(CONTENT)
    for name, expected in CONTENT.items():
        if isinstance(expected, np.ndarray) and expected.dtype != object:
            assert found[name].dtype == expected.dtype, name
            assert found[name].shape == expected.shape, name
            np.testing.assert_array_equal(found[name], expected, name)
        else:
            assert found[name] == (expected.tolist() if isinstance(expected, np.ndarray) else expected), name


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_numbers_and_texts_come_back_as_they_were(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "held.npy"
    path.write_bytes(pickle.dumps(CONTENT, protocol=protocol))
    assert is_pickled(path)
    found = read_plain_pickle(path, str)
    check(found)
    if protocol > 2:
        assert isinstance(found["epochs"], np.memmap)
        assert isinstance(found["large, columns first"], np.memmap)


def test_so_they_do_from_within_an_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "held.npy", np.array(CONTENT, object))
    assert is_pickled(tmp_path / "held.npy")
    check(read_plain_pickle(tmp_path / "held.npy", str))
    np.save(tmp_path / "plain.npy", np.arange(3))
    assert not is_pickled(tmp_path / "plain.npy")
    np.save(tmp_path / "regions.npy", np.array({0: "Unknown", 1: "V1v"}, object))
    assert read_plain_pickle(tmp_path / "regions.npy", int) == {0: "Unknown", 1: "V1v"}
    with pytest.raises(UserError, match="it holds no dictionary of the kind that is needed"):
        read_plain_pickle(tmp_path / "regions.npy", str)


class _Runs:
    """What an attacker pickles: `function` is called with `arguments` when it is opened."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


def _torn(content: dict[str, Any]) -> bytes:
    whole = pickle.dumps(content, protocol=4)
    return whole[: len(whole) // 2]


def _declared(code: bytes, n: int) -> bytes:
    size = struct.pack("<Q", n) if code in (pickle.BINBYTES8, pickle.BYTEARRAY8) else struct.pack("<I", n)
    return pickle.PROTO + b"\x05" + code + size + b"abc" + pickle.STOP


EVIL = {
    "a command": lambda mark: pickle.dumps({"a": _Runs(os.system, f"touch {mark}")}),
    "a command in old text": lambda mark: b"\x80\x02cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.",
    "an instance": lambda mark: b"\x80\x02(S'touch " + str(mark).encode() + b"'\nios\nsystem\n.",
    "eval": lambda mark: pickle.dumps({"a": _Runs(eval, f"open({str(mark)!r}, 'w')")}),
    "a file": lambda mark: pickle.dumps({"a": _Runs(open, str(mark), "w")}),
    "a getattr": lambda mark: pickle.dumps({"a": _Runs(getattr, "text", "format")}),
    "a function of numpy": lambda mark: pickle.dumps({"a": _Runs(np.fromfile, str(mark))}),
    "a list in an array": lambda mark: pickle.dumps(
        {"a": np.array([_Runs(os.system, f"touch {mark}")], object)}
    ),
    "another encoding": lambda mark: b"\x80\x02c_codecs\nencode\n(X\x01\0\0\0aX\x05\0\0\0rot13tR.",
    "a stand-in that is rebuilt": lambda mark: (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy.core.multiarray\n_reconstruct\n(t}Ntb(tR."
    ),
    "a class that is changed": lambda mark: b"\x80\x02cnumpy\nndarray\n}X\x01\0\0\0aK\x01sb.",
    "something persistent": lambda mark: b"\x80\x02Psomething\n.",
    "an extension": lambda mark: b"\x80\x02\x82\x01.",
    "bytes without end": lambda mark: _declared(pickle.BINBYTES8, 1 << 60),
    "a byte array without end": lambda mark: _declared(pickle.BYTEARRAY8, 1 << 60),
    "short bytes without end": lambda mark: _declared(pickle.BINBYTES, (1 << 32) - 1),
    "a text without end": lambda mark: _declared(pickle.BINUNICODE, (1 << 32) - 1),
    "half of a file": lambda mark: _torn(CONTENT),
    "no dictionary": lambda mark: pickle.dumps([1, 2]),
    "no pickle": lambda mark: b"thesis",
    "nothing": lambda mark: b"",
}


@pytest.mark.parametrize("what", EVIL)
def test_nothing_is_run_and_what_is_wrong_is_one_line(what: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    path = tmp_path / "evil.npy"
    path.write_bytes(EVIL[what](mark))
    with pytest.raises(
        UserError, match="evil.npy is no pickle of numbers and texts alone: .*: refused"
    ) as caught:
        read_plain_pickle(path, str)
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_an_attack_would_have_worked(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    pickle.loads(EVIL["a command"](mark))
    assert mark.exists()


@pytest.mark.parametrize("changed", [(3, 5), (1 << 40,), (-4,), "four"])
def test_an_array_of_another_size_than_its_bytes_is_refused(changed: Any, tmp_path: Path) -> None:
    class Odd:
        def __reduce__(self) -> Any:
            make, arguments, state = np.arange(4.0).__reduce__()  # type: ignore[misc]
            return make, arguments, (state[0], changed, *state[2:])

    path = tmp_path / "odd.npy"
    path.write_bytes(pickle.dumps({"a": Odd()}))
    with pytest.raises(UserError, match="odd.npy is no pickle of numbers and texts alone"):
        read_plain_pickle(path, str)


def test_what_a_file_does_to_a_stand_in_is_gone_with_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "set.npy"
    attribute = b"\x80\x02cnumpy.core.multiarray\nscalar\n}X\x05\0\0\0extraK\x01sb."
    path.write_bytes(attribute)
    with pytest.raises(UserError):
        read_plain_pickle(path, str)
    path.write_bytes(pickle.dumps(CONTENT))
    check(read_plain_pickle(path, str))
