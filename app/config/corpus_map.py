"""The mapping of a data set, from a TOML file: where in its files each part of a run is."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from earmark.app.config.toml_file import ConfigError, parse, read_text
from earmark.app.config.validation import explain
from earmark.devices.files.corpus_mapped import CorpusMap


def read_corpus_map(path: Path) -> CorpusMap:
    """Read a mapping.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a key is missing, unknown or has a wrong value.
    """
    return parse_corpus_map(read_text(path), str(path))


def parse_corpus_map(text: str, where: str) -> CorpusMap:
    """Return the mapping that a text states; ``where`` is the origin that errors name.

    Raises
    ------
    ConfigError
        If it is not TOML, or a key is missing, unknown or has a wrong value.
    """
    try:
        return CorpusMap.model_validate(parse(text, where))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{where}: {explain(one, CorpusMap)}" for one in error.errors())) from None
