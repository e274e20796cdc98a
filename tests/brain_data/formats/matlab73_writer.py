"""Files of MATLAB v7.3 as MATLAB lays them out: HDF5 after 512 bytes, dimensions turned, cells in #refs#."""

from pathlib import Path

import h5py
import numpy as np
import scipy.sparse

HEADER = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 HDF5 schema 1.00 ."


class Fields(dict):
    """An array of structs: every field a list."""


class Sparse:
    def __init__(self, matrix):
        self.matrix = scipy.sparse.csc_matrix(matrix)


class Opaque:
    def __init__(self, kind):
        self.kind = kind


class Writer:
    """Opened, variables are written by name; closed, the file has MATLAB's first bytes."""

    def __init__(self, path: Path):
        self.path = path
        self.file = h5py.File(path, "w", userblock_size=512)
        self.refs = self.file.create_group("#refs#")
        self.n_refs = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        with self.path.open("r+b") as stream:
            stream.write(HEADER.ljust(124) + b"\x00\x02IM")

    def write(self, group, name, value):
        if isinstance(value, Fields):
            made = group.create_group(name)
            made.attrs["MATLAB_class"] = np.bytes_("struct")
            for field, entries in value.items():
                made[field] = np.array([[self.reference(one)] for one in entries], h5py.ref_dtype)
            return made
        if isinstance(value, dict):
            made = group.create_group(name)
            made.attrs["MATLAB_class"] = np.bytes_("struct")
            for field, one in value.items():
                self.write(made, field, one)
            names = np.empty(len(value), object)
            for place, field in enumerate(value):
                names[place] = np.array(list(field), "S1")
            made.attrs.create("MATLAB_fields", names, dtype=h5py.vlen_dtype(np.dtype("S1")))
            return made
        if isinstance(value, list):  # a column of cells
            made = group.create_dataset(
                name, data=np.array([[self.reference(one) for one in value]], h5py.ref_dtype)
            )
            return self.called(made, "cell")
        if isinstance(value, str):
            return self.chars(group, name, value)
        if isinstance(value, Sparse):
            made = group.create_group(name)
            for part, of in (("data", "data"), ("ir", "indices"), ("jc", "indptr")):
                made[part] = getattr(value.matrix, of).astype(np.uint64 if part != "data" else float)
            made.attrs["MATLAB_sparse"] = np.uint64(value.matrix.shape[0])
            return self.called(made, "double")
        if isinstance(value, Opaque):
            made = group.create_dataset(name, data=np.array([[0xDD000000, 2, 1, 1, 1, 1]], np.uint32))
            made.attrs["MATLAB_object_decode"] = np.int32(3)
            return self.called(made, value.kind)
        return self.matrix(group, name, np.atleast_2d(value))

    def matrix(self, group, name, values, **more):
        kind = {"f8": "double", "f4": "single", "b1": "logical"}.get(values.dtype.str[1:], str(values.dtype))
        if values.size == 0:
            made = group.create_dataset(name, data=np.array(values.shape, np.uint64))
            made.attrs["MATLAB_empty"] = np.uint8(1)
        else:
            stored = values.astype(np.uint8) if kind == "logical" else values
            made = group.create_dataset(name, data=stored.T, **more)
        if kind == "logical":
            made.attrs["MATLAB_int_decode"] = np.int32(1)
        return self.called(made, kind)

    def chars(self, group, name, text):
        if not text:
            made = group.create_dataset(name, data=np.array([0, 0], np.uint64))
            made.attrs["MATLAB_empty"] = np.uint8(1)
        else:
            codes = np.frombuffer(text.encode("utf-16-le"), "<u2")
            made = group.create_dataset(name, data=codes[:, None])
        made.attrs["MATLAB_int_decode"] = np.int32(2)
        return self.called(made, "char")

    def reference(self, value):
        self.n_refs += 1
        return self.write(self.refs, f"c{self.n_refs}", value).ref

    @staticmethod
    def called(made, kind):
        made.attrs["MATLAB_class"] = np.bytes_(kind)
        return made


def save(path: Path, **variables):
    """Variables by name: arrays, texts, lists (cells), dicts (structs), Fields, Sparse, Opaque."""
    with Writer(path) as writer:
        for name, value in variables.items():
            writer.write(writer.file, name, value)
