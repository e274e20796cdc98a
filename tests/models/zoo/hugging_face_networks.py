"""Tiny networks with random weights of the architectures of transformers, saved as people save them."""

import tempfile
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

SENTENCES = (
    "the dog saw a ball and ran after it",
    "rain",
    "a girl named lily did not like the dark at all",
    "two words",
    "it was a big red ball",
    "she said that the cat was not there",
    "lily ran",
    "there was not a cat in the dark after all and it was big",
)
N_WORDS = 60
_SIZES = {
    32: ("hidden_size", "d_model", "n_embd", "dim", "embedding_size", "emb_dim", "word_embed_proj_dim",
         "attention_hidden_size", "hidden_dim", "lru_width", "embed_dim"),
    2: ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers", "decoder_layers",
        "num_encoder_layers", "num_decoder_layers", "num_key_value_heads", "num_blocks"),
    4: ("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads",
        "decoder_attention_heads", "num_encoder_attention_heads", "num_decoder_attention_heads", "num_experts",
        "num_local_experts", "n_routed_experts", "state_size"),
    8: ("head_dim", "d_kv", "d_head", "kv_channels", "moe_intermediate_size"),
    48: ("intermediate_size", "d_ff", "n_inner", "d_inner", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim",
         "dff", "ffn_hidden_size", "hidden_dim_ffn", "shared_expert_intermediate_size"),
    64: ("max_position_embeddings", "n_positions", "n_ctx", "context_length", "max_source_positions"),
    N_WORDS: ("vocab_size", "decoder_vocab_size", "vocab_size_per_layer_input"),
}  # fmt: skip
_TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 0,
           "sep_token_id": 2, "cls_token_id": 1, "forced_eos_token_id": None, "mask_token_id": 3}  # fmt: skip
_PICTURE = {"image_size": 32, "patch_size": 8, "num_channels": 3}


@dataclass(frozen=True)
class Architecture:
    """One of transformers' architectures.

    Attributes
    ----------
    name : str
        Its ``model_type``.
    family : str
        For the table.
    settings : dict
        Of its configuration, beside the usual small ones.
    tower : str
        ``vision`` or ``text`` of one that has two.
    """

    name: str
    family: str
    settings: dict = field(default_factory=dict)
    tower: str = ""

    @property
    def label(self):
        return f"{self.name}#{self.tower}" if self.tower else self.name


def configured(name, settings):
    """The configuration of an architecture with small numbers."""
    from transformers import CONFIG_MAPPING

    kind = CONFIG_MAPPING[name]
    known = kind().to_dict()
    small = {one: size for size, names in _SIZES.items() for one in names}
    small |= _TOKENS | {"use_cache": False}
    accepted = set(known) | set(kind.attribute_map)
    chosen = {one: value for one, value in small.items() if one in accepted}
    if "image_size" in known or "num_channels" in known:
        chosen |= {one: value for one, value in _PICTURE.items() if one in known}
    for part in ("text_config", "vision_config"):
        if (
            part in known
            and part not in settings
            and isinstance(known[part], dict)
            and known[part].get("model_type")
        ):
            chosen[part] = configured(known[part]["model_type"], {}).to_dict()
    return kind(
        **{one: value for one, value in (chosen | settings).items() if value is not ...}
    )  # ... for its own


@cache
def tokenizer():
    """Words of the sentences; no start and no end are added."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for sentence in SENTENCES for word in sentence.split()})
    known = {"<pad>": 0, "<s>": 1, "</s>": 2, "?": 3} | {word: i + 4 for i, word in enumerate(words)}
    made = Tokenizer(models.WordLevel(known, unk_token="?"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="?", pad_token="<pad>", model_max_length=64
    )


def network(architecture):
    """The network, its weights drawn so that every token matters."""
    from transformers import AutoModel

    torch.manual_seed(0)
    made = AutoModel.from_config(configured(architecture.name, architecture.settings)).eval()
    with torch.no_grad():
        for name, parameter in sorted(made.named_parameters()):
            if parameter.ndim > 1 and "A_log" not in name:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
    return made


def saved(architecture, folder):
    """A folder as ``save_pretrained`` leaves it."""
    network(architecture).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}'
    )
    return folder


def looked_at(architecture, folder):
    """What brodmann makes of it: the cells of a table's row, or the line by which it is refused.

    Raises
    ------
    AssertionError
        Where together, one by one and passages at once do not give the same to 1e-5 of the largest value.
    """
    import brodmann
    from brodmann import UserError, load_model

    name = f"hf:{saved(architecture, folder)}" + f"#{architecture.tower}" * bool(architecture.tower)
    try:
        model = load_model(name).replaced(cache=False)
        stimuli = pictures() if model.modality == "vision" else texts()
        together = model.extract(stimuli)
    except UserError as error:
        return (
            "refused",
            "",
            str(error).replace(str(folder), "FOLDER").replace(f"hf:{folder.name}", "hf:FOLDER"),
        )
    alone = model.replaced(batch_size=1)
    alike(together, alone.extract(stimuli))
    score = brodmann.score(
        model,
        benchmark(model.modality),
        model.layers[-1:],
        n_bootstraps=0,
        n_permutations=0,
        run=folder / "run",
    )
    assert -1 <= float(score) <= 1.5
    shown = f"{model.layers[0]}, {model.layers[-1]}"
    if model.modality == "vision":
        return ("pictures", "", shown)
    manner = model.manner
    if manner.causal:
        alike(model.extract(words(), context="passage"), word_by_word(model))
    padding = "" if manner.pads else "; texts of one length together, for padding tells"
    once = "; passages in one pass" if manner.causal else ""
    for layer in decoder_layers(model):
        try:
            alike(model.extract(stimuli, [layer]), alone.extract(stimuli, [layer]))
            shown += f" (or {layer})"
        except UserError:
            shown += " (not its decoder)"
    return (manner.kind, f"{model.pooling}{once}{padding}", shown)


def decoder_layers(model):
    """The last block of a decoder that stands behind an encoder."""
    if model.modality == "vision" or model.manner.kind != "encoder-decoder":
        return []
    return [name for name in model.every_layer() if name.startswith("decoder.") and name.count(".") == 2][-1:]


def word_by_word(model):
    """Every word of the passage in a pass of its own, after those before it."""
    view = model.replaced(batch_size=1)
    vars(view)["_manner"] = {"manner": replace(model.manner, causal=False)}
    return view.extract(words(), context="passage")


def alike(one, other):
    """Assert that two extractions agree to 1e-5 of the largest value."""
    for layer in one:
        largest = max(1.0, float(np.abs(one[layer].values).max()))
        assert float(np.abs(one[layer].values - other[layer].values).max()) <= 1e-5 * largest, layer


@cache
def benchmark(modality):
    """Made-up recordings of three neuroids."""
    import xarray as xr

    from brodmann.bench import make_benchmark
    from brodmann.brain_data.dataset import Dataset

    stimuli = pictures() if modality == "vision" else texts()
    rng, ids = np.random.default_rng(0), stimuli["stimulus_id"].to_numpy()
    signal = rng.normal(size=(len(ids), 3))
    responses = xr.DataArray(
        np.concatenate([signal + 0.3 * rng.normal(size=signal.shape) for _ in range(4)]),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", np.tile(ids, 4)),
            "repetition": ("presentation", np.repeat(range(4), len(ids))),
            "neuroid_id": ("neuroid", list("abc")),
            "region": ("neuroid", ["made up"] * 3),
        },
    )
    return make_benchmark(Dataset(f"made-up-{modality}", modality, stimuli, responses), metric="rsa")


@cache
def pictures():
    """Eight pictures of noise."""
    from brodmann.brain_data.stimulus_set import StimulusSet

    folder = Path(tempfile.mkdtemp(prefix="brodmann-pictures-"))
    rng = np.random.default_rng(0)
    names = [f"p{i}" for i in range(8)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    stimuli = StimulusSet({"stimulus_id": names, "filename": [f"{name}.png" for name in names]})
    stimuli.stimulus_paths = {name: folder / f"{name}.png" for name in names}
    return stimuli


def texts():
    """Sentences of several lengths."""
    from brodmann.brain_data.stimulus_set import StimulusSet

    return StimulusSet({"stimulus_id": [f"s{i}" for i in range(len(SENTENCES))], "sentence": list(SENTENCES)})


def words():
    """A passage, word by word."""
    from brodmann.brain_data.stimulus_set import StimulusSet

    every = " ".join(SENTENCES[:3]).split()
    return StimulusSet({"stimulus_id": [f"w{i}" for i in range(len(every))], "word": every, "story": "one"})


ENCODERS = {
    "bert": {}, "roberta": {}, "albert": {}, "distilbert": {}, "electra": {}, "deberta": {}, "deberta-v2": {},
    "mpnet": {}, "mobilebert": {}, "convbert": {}, "rembert": {}, "roformer": {}, "fnet": {}, "big_bird": {},
    "megatron-bert": {}, "nystromformer": {}, "esm": {}, "xlm": {}, "flaubert": {}, "modernbert": {}, "eurobert": {},
    "nomic_bert": {}, "longformer": {"attention_window": 8}, "xlnet": {}, "yoso": {},
    "xmod": {"default_language": "en_XX", "languages": ["en_XX"]},
    "funnel": {"architectures": ["FunnelModel"], "block_sizes": [1, 1], "block_repeats": [1, 1],
               "num_decoder_layers": 1, "num_hidden_layers": ..., "num_blocks": ...},
    "reformer": {"axial_pos_embds_dim": [16, 16], "axial_pos_shape": [8, 8], "attn_layers": ["local", "local"]},
    "canine": {}, "squeezebert": {}, "mra": {}, "bert-generation": {}, "ernie": {}, "camembert": {}, "xlm-roberta": {},
}  # fmt: skip
DECODERS = {
    "gpt2": {}, "openai-gpt": {}, "gpt_neo": {"attention_types": [[["global", "local"], 1]]}, "gpt_neox": {},
    "gptj": {"rotary_dim": 8}, "opt": {}, "bloom": {}, "codegen": {"rotary_dim": 8}, "ctrl": {}, "falcon": {},
    "gemma2": {}, "gemma3_text": {}, "llama": {}, "mistral": {}, "mixtral": {}, "qwen3": {}, "qwen2_moe": {}, "phi": {},
    "phi3": {}, "olmo2": {}, "stablelm": {}, "mpt": {}, "biogpt": {}, "xglm": {}, "cohere": {}, "granite": {},
    "gpt_oss": {}, "modernbert-decoder": {}, "nemotron": {}, "gpt_bigcode": {}, "starcoder2": {}, "smollm3": {},
}  # fmt: skip
RECURRENT = {
    "mamba": {}, "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 2}, "falcon_mamba": {}, "rwkv": {}, "xlstm": {},
    "recurrent_gemma": {}, "jamba": {}, "lfm2": {},
    "bamba": {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8},
}  # fmt: skip
ENCODER_DECODERS = {
    "t5": {}, "mt5": {}, "umt5": {}, "bart": {}, "mbart": {}, "marian": {}, "pegasus": {}, "blenderbot": {},
    "led": {"attention_window": 8}, "longt5": {}, "m2m_100": {}, "prophetnet": {}, "fsmt": {}, "plbart": {},
    "switch_transformers": {}, "nllb-moe": {}, "bigbird_pegasus": {}, "pegasus_x": {"block_size": 8},
}  # fmt: skip
TOWERS = {
    "clip": ("vision", "text", ""), "siglip": ("vision", "text"), "blip": ("vision", "text"), "align": ("text",),
    "altclip": ("vision", "text"), "chinese_clip": ("vision", "text"), "clipseg": ("vision", "text"),
    "groupvit": ("vision", "text"), "owlvit": ("vision", "text"), "clap": ("", "text", "sound"), "bert": ("vision",),
}  # fmt: skip
_STAGES = {"hidden_sizes": [8, 16], "depths": [1, 1]}
_WINDOWS = {
    "embed_dim": 16,
    "depths": [1, 1],
    "num_heads": [2, 2],
    "window_size": 4,
    "patch_size": 4,
    "num_attention_heads": ...,
    "num_hidden_layers": ...,
    "num_layers": ...,
    "hidden_size": ...,
}
VISION = {
    "vit": {}, "deit": {}, "beit": {}, "dinov2": {}, "dinov2_with_registers": {}, "ijepa": {}, "vit_msn": {},
    "data2vec-vision": {},
    "swin": _WINDOWS,
    "swinv2": _WINDOWS,
    "convnext": {"num_stages": 2, "patch_size": 4, **_STAGES},
    "convnextv2": {"num_stages": 2, "patch_size": 4, **_STAGES},
    "resnet": {"embedding_size": 8, **_STAGES}, "regnet": {"embedding_size": 8, "groups_width": 8, **_STAGES},
    "mobilenet_v1": {}, "mobilenet_v2": {}, "focalnet": {"embed_dim": 16, "depths": [1, 1], "patch_size": 4},
    "poolformer": {"num_encoder_blocks": 4, "depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 8, 8]},
    "segformer": {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 8, 8], "num_attention_heads": [1, 1, 1, 1]},
}  # fmt: skip
OTHER = {"wav2vec2": {}, "whisper": {}, "perceiver": {}, "imagegpt": {}, "videomae": {}}
_FAMILIES = {
    "encoder": ENCODERS, "decoder": DECODERS, "recurrent or state-space": RECURRENT,
    "encoder-decoder": ENCODER_DECODERS, "vision": VISION, "other": OTHER,
}  # fmt: skip
ARCHITECTURES = [
    *(
        Architecture(name, family, settings)
        for family, members in _FAMILIES.items()
        for name, settings in members.items()
    ),
    *(Architecture(name, "two towers", {}, tower) for name, towers in TOWERS.items() for tower in towers),
]
