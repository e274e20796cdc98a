"""Surfaces of triangles: read as nibabel reads them, and refused in one line where they are broken."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from surface_files import octahedron, write_samples, write_surface

from brodmann.brain_data.gifti_arrays import is_gifti, open_gifti
from brodmann.brain_data.meshes import by_hemisphere, checked_mesh, read_mesh
from brodmann.errors import UserError

PLACES, FACES = octahedron()
THEIRS = sorted((Path(nibabel.__file__).parent / "gifti/tests/data").glob("*.gii"))


def one_line(call, *parts):
    with pytest.raises(UserError) as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said
    for part in parts:
        assert part in said, said
    return said


@pytest.mark.parametrize("path", THEIRS, ids=lambda path: path.name)
def test_every_array_is_what_nibabel_reads(path):
    if path.name == "external.gii":
        one_line(lambda: open_gifti(path), "keeps its arrays in another file: refused")
        return
    file, expected = open_gifti(path), nibabel.load(path)
    found = file.read(*range(len(file.arrays)))
    for ours, theirs in zip(found, expected.darrays, strict=True):
        np.testing.assert_array_equal(ours, theirs.data)
    assert dict(file.labels) == expected.labeltable.get_labels_as_dict()


def test_real_surfaces_are_meshes(test_signals, test_data):
    for path, n in (
        (test_signals / "realdata/gifti-fsaverage5/pial_left.gii.gz", 10242),
        (test_data / "conte69-maps/conte69_32k_lh.gii", 32492),
    ):
        mesh = read_mesh(path)
        assert len(mesh) == n
        assert len(mesh.faces) == 2 * n - 4  # Euler: a closed surface without holes
        points, triangles = (one.data for one in nibabel.load(path).darrays)
        np.testing.assert_array_equal(mesh.positions, points)
        np.testing.assert_array_equal(mesh.faces, triangles)


def test_freesurfers_geometry_is_what_nibabel_wrote(tmp_path):
    path = tmp_path / "lh.white"
    nibabel.freesurfer.write_geometry(path, PLACES, FACES)
    mesh = read_mesh(path)
    np.testing.assert_array_equal(mesh.faces, FACES)
    np.testing.assert_allclose(mesh.positions, PLACES, rtol=1e-6)
    path.write_bytes(path.read_bytes()[:-400])
    one_line(lambda: read_mesh(path), "lh.white is cut off", "66 vertices and 128 triangles")


def test_meshes_that_do_not_fit_are_refused_in_one_line(tmp_path):
    wrong = FACES.copy()
    wrong[3, 1] = 66
    one_line(
        lambda: checked_mesh(PLACES, wrong, "here"), "here: a triangle names vertex 66, and there are 66"
    )
    wrong[3, 1] = -1
    one_line(lambda: checked_mesh(PLACES, wrong), "names vertex -1")
    nowhere = PLACES.copy()
    nowhere[[2, 5]] = np.nan
    one_line(lambda: checked_mesh(nowhere, FACES), "2 of 66 vertices have a place that is NaN or infinite")
    both = np.concatenate([FACES, FACES + 66])
    one_line(
        lambda: checked_mesh(np.concatenate([PLACES, PLACES + 200]), both),
        "falls into 2 pieces, the largest of 66 of 132 vertices",
    )
    path = write_samples(tmp_path / "lh.func.gii", np.ones((2, 66), np.float32))
    one_line(lambda: read_mesh(path), "holds no mesh", "TIME_SERIES")
    (tmp_path / "text.pial").write_text("no mesh at all")
    one_line(
        lambda: read_mesh(tmp_path / "text.pial"),
        "is no mesh: a GIFTI surface (.surf.gii) or one of FreeSurfer",
    )
    one_line(lambda: read_mesh(tmp_path / "absent.gii"), "there is no file")


def mutated(path, old, new, count=1):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, count))
    return path


def test_broken_gifti_files_are_refused_in_one_line(tmp_path):
    def fresh():
        return write_surface(tmp_path / "a.surf.gii", PLACES, FACES)

    whole = fresh().read_bytes()
    path = fresh()
    path.write_bytes(whole[: len(whole) // 2])
    one_line(lambda: read_mesh(path), "a.surf.gii cannot be read as GIFTI", "it is cut off")
    one_line(
        lambda: read_mesh(mutated(fresh(), b'Dim0="66"', b'Dim0="67"')), "array 0 is damaged", "201 numbers"
    )
    one_line(
        lambda: read_mesh(mutated(fresh(), b'Dim0="66"', b'Dim0="6600000000000"')), "its", "bytes cannot"
    )
    one_line(lambda: read_mesh(mutated(fresh(), b"FLOAT32", b"RGB24")), "type RGB24 are not known")
    one_line(lambda: read_mesh(mutated(fresh(), b"<Data>", b"<Data>!!", 1)), "array 0 is damaged")
    bomb = b'<!DOCTYPE GIFTI [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    head, _, rest = whole.partition(b"?>")
    declared = rest[rest.index(b"<GIFTI") :]
    path.write_bytes(head + b"?>" + bomb + declared)
    one_line(lambda: read_mesh(path), "defines entities: refused")
    path.write_bytes(b'<?xml version="1.0"?><GIFTI Version="1.0"></GIFTI>')
    one_line(lambda: read_mesh(path), "holds no array")


def test_a_packed_array_gives_no_more_than_the_file_says(tmp_path):
    """64 MiB of zeros in a few packed bytes, of an array that says it has 4 numbers."""
    path = write_samples(tmp_path / "lh.func.gii", np.zeros((1, 1 << 24), np.float32))
    assert path.stat().st_size < 1 << 18
    mutated(path, b'Dim0="16777216"', b'Dim0="4"')
    one_line(lambda: open_gifti(path).read(0), "4 numbers (16 bytes), and the file holds more")


def test_a_file_is_told_by_what_it_begins_with(tmp_path):
    assert is_gifti(write_surface(tmp_path / "a.gii", PLACES, FACES))
    (tmp_path / "b.gii").write_text("<svg></svg>")
    assert not is_gifti(tmp_path / "b.gii")
    assert not is_gifti(tmp_path)


def test_a_mesh_a_hemisphere_is_named_by_its_letter(tmp_path):
    path = write_surface(tmp_path / "a.gii", PLACES, FACES)
    assert by_hemisphere(f"L={path},R={path}", "surface") == {"L": path, "R": path}
    assert by_hemisphere(None, "surface") == {}
    for said in ("lh.pial", f"left={path}", f"L={path},L={path}", "L="):
        one_line(
            lambda said=said: by_hemisphere(said, "surface"),
            "--surface must be L=FILE, R=FILE or L=FILE,R=FILE",
        )
    one_line(lambda: by_hemisphere("R=nowhere.gii", "atlas"), "--atlas: there is no file nowhere.gii")
