"""Files of weights changed at random, loaded in a process that is watched: run by test_mutations.py.

``python mutations.py PLACE N SEED`` prints a JSON object: how many loaded, how many were refused, everything else that
came out, what was opened for writing or run, and how much memory it took at most.
"""

import copy
import io
import json
import os
import pickle
import random
import shutil
import struct
import sys
import traceback
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file

WORDS = "the dog saw a ball and the ball saw a dog . one two three four five"
HOSTILE = (
    10**9, 10**18, 2**63, -1, 0, 1, 1e308, -1e-9, float("nan"), "64", "", "../../x", "/etc/passwd", "os.system", None,
    True, [], {}, [[]], [10**9], {"a": {"b": 1}}, "x" * 10**5, [0] * 10**4,
)  # fmt: skip


FORBIDDEN = {
    "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect", "os.fork", "os.rename", "os.remove",
    "os.mkdir", "os.symlink", "os.link",
}  # fmt: skip


class Harmful:
    """Runs something, if it is read."""

    def __reduce__(self):
        return os.system, ("touch HARM",)


def tokenizer(folder):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["[UNK]", "[PAD]", *dict.fromkeys(WORDS.split())]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(
        folder
    )


def samples(place):
    """One sound file or folder of every kind: name for load_model -> its path."""
    from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaModel

    from brodmann.models.architectures.cifar_resnet import CifarResNet
    from brodmann.models.architectures.gpt import GPT, GPTShape
    from brodmann.models.architectures.mlp import MLP
    from brodmann.models.architectures.mobilenet import MobileNetV2
    from brodmann.models.training.load import PACKAGED

    torch.manual_seed(0)
    made = {}
    small = {"vocab_size": 32, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 0}
    kinds = {
        "gpt2": GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=2, n_embd=16, n_positions=32, **small)),
        "bert": BertModel(
            BertConfig(
                hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, **small
            )
        ),
        "llama": LlamaModel(
            LlamaConfig(
                hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, **small
            )
        ),
    }
    for name, network in kinds.items():
        folder = place / name
        network.save_pretrained(folder, max_shard_size="6KB" if name == "llama" else "1GB")
        tokenizer(folder)
        made[f"hf:{folder}"] = folder
    plain = {
        "cifar": CifarResNet(1, width=4), "mlp": MLP((16, 8, 3)), "gpt": GPT(GPTShape(2, 2, 16, 32, 32)),
        "mobilenet": MobileNetV2(3, (8,) * 9),
    }  # fmt: skip
    for name, network in plain.items():
        for suffix in ("safetensors", "zip.pt", "old.pt"):
            folder = place / f"{name}-{suffix}"
            folder.mkdir()
            path = folder / f"w.{suffix}"
            state = {key: value.contiguous().clone() for key, value in network.state_dict().items()}
            if suffix == "safetensors":
                save_file(state, path)
            else:
                torch.save(
                    {"state_dict": state, "epoch": 3}, path, _use_new_zipfile_serialization=suffix == "zip.pt"
                )
            if name == "gpt":
                shutil.copyfile(place / "gpt2" / "tokenizer.json", folder / "tokenizer.json")
            made[f"weights:{path}"] = folder
    twin = place / "twin"
    shutil.copytree(PACKAGED / "twin-language-topographic", twin, copy_function=shutil.copyfile)
    made[f"trained:{twin}"] = twin
    return made


def mutate_bytes(path, dice):
    content = bytearray(path.read_bytes())
    if not content:
        return
    start = dice.randrange(min(len(content), dice.choice((16, 4096, len(content)))))
    length = dice.choice((1, 2, 8, 100, 5000))
    match dice.randrange(6):
        case 0:
            for _ in range(dice.choice((1, 5, 50))):
                content[dice.randrange(len(content))] = dice.randrange(256)
        case 1:
            del content[start:]
        case 2:
            del content[start : start + length]
        case 3:
            content[start : start + length] = bytes([dice.choice((0, 255))]) * length
        case 4:
            content[start:start] = content[dice.randrange(len(content)) :][:length]
        case 5:
            content[:8] = struct.pack("<Q", dice.choice((0, 2, len(content), 10**8, 2**40, 2**63)))
    path.write_bytes(content)


def places(value, way=()):
    """The way to every value of a tree."""
    yield way
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in list(entries)[: 200 if len(way) < 40 else 0]:
        yield from places(inner, (*way, key))


def mutate_tree(tree, dice):
    *way, key = dice.choice([way for way in places(tree) if way])
    inside = tree
    for one in way:
        inside = inside[one]
    value = copy.deepcopy(
        dice.choice((*HOSTILE, "drop", "deep"))
    )  # each its own, or a tree would hold itself
    if value == "drop":
        del inside[key]
    elif value == "deep":
        for _ in range(dice.choice((80, 300))):
            value = [value]
        inside[key] = value
    else:
        inside[key] = value
    return tree


def mutate_json(path, dice):
    tree = json.loads(path.read_text())
    for _ in range(dice.choice((1, 1, 3))):
        tree = mutate_tree(tree, dice) if len(list(places(tree))) > 1 else tree
    path.write_text(json.dumps(tree))
    if dice.random() < 0.02:
        path.write_text("[" * 10**5)


def mutate_header(path, dice):
    """Of a safetensors file."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.dumps(mutate_tree(json.loads(content[8 : 8 + length]), dice)).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + content[8 + length :])


def mutate_archive(path, dice):
    """Of torch: compressed, with long entries, with other instructions in its pickle."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    key = next(name for name in parts if name.endswith("data.pkl"))
    compression = zipfile.ZIP_STORED
    match dice.randrange(6):
        case 0:
            compression = zipfile.ZIP_DEFLATED
            parts[key.replace("data.pkl", "data/0")] = bytes(dice.choice((10, 10**7)))
        case 1:
            parts[key] = pickle.dumps({"state_dict": {"w": Harmful()}})
        case 2:
            parts[key] = b"\x80\x02}r\xff\xff\xff\xff."  # a memo of 4 billion
        case 3:
            parts[key] = b"\x80\x02\x8b\xff\xff\xff\x7f."  # a number of 2 GiB
        case 4:
            raw = bytearray(parts[key])
            for _ in range(dice.choice((1, 10))):
                raw[dice.randrange(len(raw))] = dice.randrange(256)
            parts[key] = bytes(raw)
        case 5:
            parts.pop(dice.choice(list(parts)))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, value in parts.items():
            archive.writestr(name, value)
    path.write_bytes(out.getvalue())


def mutate(folder, dice, outside):
    files = sorted(path for path in folder.iterdir() if path.is_file())
    path = dice.choice(files)
    if path.suffix == ".safetensors" and dice.random() < 0.5:
        mutate_header(path, dice)
    elif path.name.endswith("zip.pt") and dice.random() < 0.5:
        mutate_archive(path, dice)
    elif path.name.endswith("old.pt") and dice.random() < 0.1:
        path.write_bytes(pickle.dumps({"state_dict": Harmful()}))
    elif path.suffix == ".json" and dice.random() < 0.8:
        mutate_json(path, dice)
    elif dice.random() < 0.1:
        path.unlink()
        if dice.random() < 0.5:
            path.symlink_to(outside)
    else:
        mutate_bytes(path, dice)


WATCHING = []


def watch(allowed):
    """Everything that is opened for writing elsewhere, or run."""
    seen = []

    def hook(event, arguments):
        if not WATCHING:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or (
                mode and set(mode) & set("wax+")
            )
            if (
                writes
                and isinstance(path, (str, bytes))
                and not os.fsdecode(path).startswith((*allowed, "/dev/null"))
            ):
                seen.append([event, os.fsdecode(path)])
        elif event in FORBIDDEN and not str(arguments[0]).startswith(allowed):
            seen.append([event, repr(arguments)[:200]])

    sys.addaudithook(hook)
    return seen


def use(name):
    """A model that was loaded has to answer, or to say why it does not."""
    from brodmann.brain_data.stimulus_set import StimulusSet
    from brodmann.models import load_model

    model = load_model(name)
    if model.modality == "language":
        stimuli = StimulusSet({"stimulus_id": ["a", "b"], "sentence": ["the dog saw", "a ball and a dog ."]})
        model.replaced(cache=False).extract(stimuli, model.layers[-1:])
    return model


def peak_gib():
    """The most memory that this program held; what getrusage says begins with what its parent held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 2**20


def main(place, n, seed):
    from brodmann import UserError

    place = Path(place)
    base = place / "sound"
    base.mkdir(parents=True)
    names = samples(base)
    for name in names:
        use(name)  # sound files load
    outside = place / "outside.json"
    outside.write_text("{}")
    os.chdir(place)
    at_first = peak_gib()
    seen = watch((str(place), os.environ["BRODMANN_HOME"]))
    loaded, refused, other = 0, [], []
    for number in range(n):
        dice = random.Random(f"{seed}-{number}")
        scheme = dice.choice(("hf:", "hf:", "weights:", "weights:", "trained:"))
        name, folder = dice.choice(sorted(item for item in names.items() if item[0].startswith(scheme)))
        copied = place / f"mutant-{number}"
        shutil.copytree(folder, copied)
        mutate(copied, dice, outside)
        wrong = name.replace(str(folder), str(copied))
        WATCHING.append(number)
        try:
            use(wrong)
            loaded += 1
        except UserError as error:
            refused.append(str(error))
            if "\n" in str(error):
                other.append([number, wrong, f"more than a line: {error}"])
        except BaseException:
            other.append([number, wrong, traceback.format_exc()[-1500:]])
        WATCHING.clear()
        shutil.rmtree(copied)
    grown = peak_gib() - at_first
    harm = [str(path) for path in place.rglob("HARM")]
    print(json.dumps({
        "n": n, "loaded": loaded, "refused": len(refused), "other": other, "seen": seen, "harm": harm,
        "grown_gib": grown, "messages": refused,
    }))  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
