"""Every architecture of the table is read or refused as the page says; together equals one by one."""

import numpy as np
import pytest
from hugging_face_networks import ARCHITECTURES, configured, looked_at, saved, texts, tokenizer
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


def test_an_encoder_saved_without_its_decoder_gives_what_it_gives_with_it(tmp_path):
    from transformers import T5EncoderModel, T5Model

    from brodmann import load_model

    (tmp_path / "whole").mkdir()
    whole = saved(next(one for one in ARCHITECTURES if one.name == "t5"), tmp_path / "whole")
    alone = T5EncoderModel(configured("t5", {}))
    alone.load_state_dict(T5Model.from_pretrained(whole).state_dict(), strict=False)
    alone.save_pretrained(tmp_path / "alone")
    tokenizer().save_pretrained(tmp_path / "alone")
    found = [load_model(f"hf:{tmp_path / one}").replaced(cache=False) for one in ("whole", "alone")]
    assert [one.pooling for one in found] == ["mean", "mean"]
    assert found[0].layers == found[1].layers
    vectors = [one.extract(texts()) for one in found]
    for layer in found[0].layers:
        np.testing.assert_allclose(vectors[0][layer], vectors[1][layer], atol=1e-5)
