"""Small surfaces of a known truth, and broken ones."""

import gzip
from itertools import pairwise

import nibabel
import numpy as np
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiLabel, GiftiLabelTable


def octahedron(subdivisions=2):
    """A sphere of triangles: 6, 18, 66, 258 vertices."""
    places = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
    faces = [(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4), (2, 0, 5), (1, 2, 5), (3, 1, 5), (0, 3, 5)]
    places = [np.array(one, float) for one in places]
    for _ in range(subdivisions):
        middle, finer = {}, []
        for face in faces:
            ends = [*face, face[0]]
            for a, b in pairwise(ends):
                if (min(a, b), max(a, b)) not in middle:
                    middle[min(a, b), max(a, b)] = len(places)
                    half = places[a] + places[b]
                    places.append(half / np.linalg.norm(half))
            a, b, c = face
            ab, bc, ca = (middle[min(x, y), max(x, y)] for x, y in pairwise(ends))
            finer += [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        faces = finer
    return np.array(places) * 50, np.array(faces)


def write_surface(path, places, faces):
    arrays = [
        GiftiDataArray(np.asarray(places, np.float32), "NIFTI_INTENT_POINTSET", "NIFTI_TYPE_FLOAT32"),
        GiftiDataArray(np.asarray(faces, np.int32), "NIFTI_INTENT_TRIANGLE", "NIFTI_TYPE_INT32"),
    ]
    path.write_bytes(GiftiImage(darrays=arrays).to_bytes())
    return path


def write_samples(path, values, encoding="B64GZ", kind="NIFTI_TYPE_FLOAT32"):
    """One array a row."""
    arrays = [
        GiftiDataArray(np.asarray(row), "NIFTI_INTENT_TIME_SERIES", kind, f"GIFTI_ENCODING_{encoding}")
        for row in values
    ]
    content = GiftiImage(darrays=arrays).to_bytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_labels(path, numbers, names):
    table = GiftiLabelTable()
    for key, name in names.items():
        label = GiftiLabel(key, 0, 0, 0, 1)
        label.label = name
        table.labels.append(label)
    array = GiftiDataArray(np.asarray(numbers, np.int32), "NIFTI_INTENT_LABEL", "NIFTI_TYPE_INT32")
    path.write_bytes(GiftiImage(labeltable=table, darrays=[array]).to_bytes())
    return path


def write_mgh(path, values):
    """(frames, vertices) as FreeSurfer's volume n x 1 x 1 x frames."""
    shaped = np.asarray(values, np.float32).T[:, None, None, :]
    nibabel.save(nibabel.MGHImage(shaped, np.eye(4)), path)
    return path
