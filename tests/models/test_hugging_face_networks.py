"""Every architecture of the table is read or refused as the page says; together equals one by one."""

import pytest
from hugging_face_networks import ARCHITECTURES, looked_at
from hugging_face_page import PAGE, row, rows

ON_PAGE = rows(PAGE.read_text())


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda one: one.label)
def test_what_brodmann_makes_of_an_architecture_is_what_the_page_says(architecture, tmp_path):
    folder = tmp_path / "net"
    folder.mkdir()
    assert row(architecture, looked_at(architecture, folder)) == ON_PAGE[architecture.label]


def test_the_page_has_at_least_60_architectures_and_refuses_few():
    names = {one.label for one in ARCHITECTURES}
    assert {*ON_PAGE} - {"architecture", "---"} == names
    read = [name for name in names if "| refused |" not in ON_PAGE[name]]
    assert len({name.partition("#")[0] for name in read}) >= 60
    assert len(names) - len(read) <= 15
