"""The section ``plates`` of study.yaml: which files are plates of immunoassays, and by which rules they count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from il2cyto.provenance import hash_file
from il2cyto.study.assays import Plates
from il2cyto.study.fields import NUMBER, FieldReader
from il2cyto.study.findings import Findings
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.paths import BELOW_STUDY, below, is_file, study_file
from il2cyto.study.positions import Mapping as MappingNode
from il2cyto.study.positions import Node, Scalar, Sequence

KEYS: Final = ("files",)
OPTIONAL: Final = ("kit", "values", "beads", "curve", "rules", "drug", "max_days_apart")
VALUES: Final = ("signal", "concentration")
CHANNELS: Final = ("forward", "side", "dye", "reporter")
MODELS: Final = ("4PL", "5PL", "auto")
SCALES: Final = ("linear", "log")
#: Numbers that decide how curves and samples are judged.
RULES: Final = (
    "theta", "least_levels", "least_beads", "few_beads", "cv", "parallelism", "control_bias", "control_cv", "drift",
    "recovery", "recovery_ends", "standard_cv", "standard_cv_ends", "share", "levels_in_range", "lod_sd",
)  # fmt: skip
_MAY_BE_ZERO: Final = ("theta", "least_beads", "few_beads")
_ABSENT: Final = "no file is there; give a path below the study folder"
_MOST_FILES: Final = 2000


def read_plates(reader: FieldReader, node: Node | None, folder: Path) -> Plates | None:
    """Read the section ``plates``.

    Parameters
    ----------
    reader
        Receives every problem.
    node
        The section, or ``None`` where there is none.
    folder
        The study folder, resolved.
    """
    if node is None:
        return None
    given = reader.section(node, "plates", KEYS, OPTIONAL)
    files = _files(reader, given["files"], folder) if "files" in given else []
    if len({path for _, path in files}) < len(files):
        reader.problem(given["files"], "plates.files", "a file is named twice; name each once")
    beads = reader.section(given["beads"], "plates.beads", ("panel", *CHANNELS)) if "beads" in given else {}
    channels = {key: reader.text(value, f"plates.beads.{key}") for key, value in beads.items() if key != "panel"}
    if any(path.suffix.lower() == ".fcs" for _, path in files) and "beads" not in given:
        message = "FCS files of a bead array need `beads` with its panel and channels"
        reader.problem(given["files"], "plates.files", message)
    curve = reader.section(given["curve"], "plates.curve", (), ("model", "scale", "pool")) if "curve" in given else {}
    model = reader.choice(curve["model"], "plates.curve.model", MODELS) if "model" in curve else None
    scale = reader.choice(curve["scale"], "plates.curve.scale", SCALES) if "scale" in curve else None
    pool = reader.flag(curve["pool"], "plates.curve.pool") if "pool" in curve else False
    apart = given.get("max_days_apart")
    return Plates(
        files=tuple(files),
        kit=_one(reader, given, "kit", "plates.kit", folder),
        panel=_one(reader, beads, "panel", "plates.beads.panel", folder),
        values=reader.choice(given["values"], "plates.values", VALUES) if "values" in given else None,
        channels=FrozenMapping({key: text for key, text in channels.items() if text is not None}),
        model=model or "auto",
        scale=scale or "linear",
        pool=bool(pool),
        rules=FrozenMapping(_rules(reader, given["rules"]) if "rules" in given else {}),
        drug=FrozenMapping(_drug(reader, given["drug"]) if "drug" in given else {}),
        max_days_apart=reader.integer(apart, "plates.max_days_apart", minimum=0) if apart is not None else None,
    )


def hash_inputs(plates: Plates, file: str, findings: Findings) -> dict[str, str]:
    """Return the SHA-256 of every file of the section by its role; a file that cannot be read is a problem."""
    hashes = {}
    for role, (name, path) in plates.inputs().items():
        try:
            hashes[role] = hash_file(path)
        except OSError as error:
            findings.problem(file, None, "plates", name, f"the file cannot be read: {error.strerror}")
    return hashes


def _files(reader: FieldReader, node: Node, folder: Path) -> list[tuple[str, Path]]:
    """The files of a list, in its order."""
    items = node.items if isinstance(node, Sequence) else ()
    if not items:
        reader.problem(node, "plates.files", "give a list of files, for example [serum/plate-1.csv]")
    found: list[tuple[str, Path]] = []
    for number, item in enumerate(items, start=1):
        text = reader.text(item, f"plates.files.{number}")
        if text is not None and "*" in text.rpartition("/")[2]:
            found += _matching(reader, item, text, folder)
        elif text is not None:
            one = study_file(reader, item, "plates.files", text, folder, _ABSENT)
            found += [one] if one is not None else []
    return found


def _matching(reader: FieldReader, node: Node, text: str, folder: Path) -> list[tuple[str, Path]]:
    """The files that a pattern in the last part of a path names, in the order of their names."""
    head, _, last = text.rpartition("/")
    try:
        parent = below(folder, head, BELOW_STUDY) if head else folder
    except ValueError as error:
        reader.problem(node, "plates.files", str(error))
        return []
    inside = sorted(path for path in parent.glob(last) if is_file(path)) if parent.is_dir() else []
    if not inside or len(inside) > _MOST_FILES:
        reader.problem(node, "plates.files", f"{len(inside)} files are named like this; correct the pattern")
        return []
    return [(str(PurePosixPath(head) / path.name), path) for path in inside]


def _one(reader: FieldReader, given: Mapping[str, Node], key: str, where: str, folder: Path) -> tuple[str, Path] | None:
    node = given.get(key)
    text = reader.text(node, where) if node is not None else None
    return study_file(reader, node, where, text, folder, _ABSENT) if node is not None and text is not None else None


def _rules(reader: FieldReader, node: Node) -> Mapping[str, float]:
    found = {}
    for key, value in reader.section(node, "plates.rules", (), RULES).items():
        number = float(value.text) if isinstance(value, Scalar) and NUMBER.fullmatch(value.text) else math.nan
        if math.isfinite(number) and (number > 0 or (number == 0 and key in _MAY_BE_ZERO)):
            found[key] = number
        else:
            reader.problem(value, f"plates.rules.{key}", "give a number above 0")
    return found


def _drug(reader: FieldReader, node: Node) -> Mapping[str, int]:
    if not isinstance(node, MappingNode):
        reader.problem(node, "plates.drug", "name analytes with days, for example {IL-2: 1}")
        return {}
    read = {key: reader.integer(value, f"plates.drug.{key}", minimum=0) for key, value in node.entries.items()}
    return {key: days for key, days in read.items() if days is not None}
