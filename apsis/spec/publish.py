"""JSON Schemas of job files and apsis.yaml, for editors: `python -m apsis.spec.publish schema/`."""

import ast
import json
import sys
from pathlib import Path
from typing import Any

from apsis.spec import models

FILES: dict[str, type[models.Written]] = {"job.json": models.JobFile, "apsis.json": models.Settings}
SOURCES = sorted(Path(models.__file__).parent.glob("*.py"))


def schemas() -> dict[str, str]:
    """Return the schema files' texts by name."""
    return {name: json.dumps(_schema(model), indent=2) + "\n" for name, model in FILES.items()}


def _schema(model: type[models.Written]) -> dict[str, Any]:
    schema = model.model_json_schema()
    described = _described()
    for name, definition in (*schema.get("$defs", {}).items(), (model.__name__, schema)):
        for key, value in definition.get("properties", {}).items():
            value.pop("title", None)
            if said := described.get((name, key)):
                value["description"] = said
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _described() -> dict[tuple[str, str], str]:
    """Return the text below each field in the models' source, by class and field, inherited ones included.

    The library can read them too, but does it at each import, where it costs a command 100 ms.
    """
    own: dict[str, dict[str, str]] = {}
    for node in (node for path in SOURCES for node in ast.parse(path.read_text(encoding="utf-8")).body):
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
        texts = {key: text for base in bases for key, text in own.get(base, {}).items()}
        for field, after in zip(node.body, node.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                match after:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        texts[field.target.id.rstrip("_")] = text.strip()
        own[node.name] = texts
    return {(name, key): text for name, texts in own.items() for key, text in texts.items()}


def main(folder: Path) -> None:
    """Write the schemas."""
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
