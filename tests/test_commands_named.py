"""What messages, help, README and docs tell a person to type exists: commands, options, models, benchmarks, data."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

from brodmann.bench import list_benchmarks
from brodmann.bench.cli.main import app
from brodmann.brain_data.catalogue import list_datasets
from brodmann.models.catalogue import list_models

ROOT = Path(__file__).parents[1]
COMMANDS = typer.main.get_command(app)
FLOORS = ("bench", "models", "analysis", "brain_data")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def texts(path):
    """String literals of a module, ``{}`` where a value is put in."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def commands_in(text):
    """Lines to type: the words after ``brodmann`` as far as they go on."""
    for found in re.findall(r"(?<![\w/.'-])brodmann ((?:[^\s`;()]+ ?)+)", text):
        line = re.split(r"[\"“”]|: |, | #|  | \| | > |\\n", found)[0].strip().rstrip(".,:'")
        words = line.replace("'", "").split()
        if words and words[0] in COMMANDS.commands:
            yield words


def wrong(words):
    """What a command line names that is not there; empty where all is well."""
    command = COMMANDS
    while hasattr(command, "commands") and words:
        if words[0] not in command.commands:
            return f"no command {words[0]}" if re.fullmatch(r"[a-z]+", words[0]) and len(words) > 1 else ""
        command, words = command.commands[words[0]], words[1:]
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in options]
    return f"{command.name} has no {unknown[0]}" if unknown else ""


MODULES = [path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py"))]


def test_messages_and_help_name_commands_that_exist():
    found = [(path, words) for path in MODULES for text in texts(path) for words in commands_in(text)]
    assert len(found) > 60
    assert [(path.name, words, wrong(words)) for path, words in found if wrong(words)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda one: str(one.relative_to(ROOT)))
def test_a_page_names_commands_that_exist(page):
    blocks = re.findall(r"^```(?:sh|bash)?\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    typed = [shlex.split(line, comments=True)[1:] for line in lines if re.match(r"brodmann [a-z]", line)]
    for words in typed:
        assert words[0] in COMMANDS.commands, words
        assert wrong(words) == "", words
    inline = re.findall(r"`brodmann ([^`]*)`", page.read_text().replace("\n", " "))
    for words in (one.split() for one in inline):
        assert words[0] in COMMANDS.commands, words
        assert wrong(words) == "", words


def test_the_names_in_help_and_messages_exist():
    models = {one.identifier for one in list_models()} | {"brain"}
    benchmarks = {one.identifier for one in list_benchmarks()}
    data = {one.identifier for one in list_datasets()}
    for path in MODULES:
        for words in (one for text in texts(path) for one in commands_in(text)):
            if words[0] == "score" and len(words) > 2 and re.search(r"[.{}A-Z]", words[2]):
                model, benchmark = words[1:3]
                assert "{}" in model or ":" in model or model.isupper() or model in models, (path, words)
                assert "{}" in benchmark or benchmark.isupper() or benchmark in benchmarks, (path, words)
            if words[:2] == ["data", "info"]:
                assert words[2] in data, (path, words)
