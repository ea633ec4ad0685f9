"""A user's rows in the spellings that are accepted, as the catalog's own types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from boxwright.catalog.errors import CatalogError
from boxwright.catalog.software import AssetRow, ModelRow

ASSET_KEYS = frozenset(AssetRow.__dataclass_fields__)
T = TypeVar("T")


def model_row(name: str, row: Any) -> ModelRow:
    """A model's row. Files may be names or mappings; `sha256` and `size` may lie beside the quants,
    by name, as the Hub lists them. Raises CatalogError.
    """
    where = f"model {name}"
    if not isinstance(row, Mapping):
        raise CatalogError(f"{where} is {row!r}, needs a mapping with repository and quants")
    quants = row.get("quants")
    if not isinstance(quants, Mapping) or not quants:
        raise CatalogError(f"{where} has no quants, needs at least one")
    sums, sizes = row.get("sha256") or {}, row.get("size") or {}
    if not isinstance(sums, Mapping) or not isinstance(sizes, Mapping):
        raise CatalogError(f"{where}: sha256 and size need to be mappings by file name")
    spelled = {
        str(quant): _quant(f"{where}: quant {quant}", found or {}, sums, sizes)
        for quant, found in quants.items()
    }
    document = {**row, "quants": spelled}
    document.setdefault("default_quant", next(iter(spelled)))
    made = _validated(ModelRow, document, where)
    if made.default_quant not in made.quants:
        raise CatalogError(
            f"{where}: its default_quant {made.default_quant} is none of {', '.join(made.quants)}"
        )
    return made


def _quant(
    where: str, quant: Any, sums: Mapping[str, Any], sizes: Mapping[str, Any]
) -> dict[str, Any]:
    if not isinstance(quant, Mapping):
        raise CatalogError(f"{where} is {quant!r}, needs a mapping with files")
    files = quant.get("files") or ()
    if isinstance(files, str | Mapping):
        raise CatalogError(f"{where}: files is {files!r}, needs a list")
    return {**quant, "files": [_file(where, one, sums, sizes) for one in files]}


def _file(
    where: str, row: Any, sums: Mapping[str, Any], sizes: Mapping[str, Any]
) -> dict[str, Any]:
    row = {"name": row} if isinstance(row, str) else row
    if not isinstance(row, Mapping) or not isinstance(row.get("name"), str):
        raise CatalogError(f"{where}: a file is {row!r}, needs a name")
    name = row["name"]
    if name.startswith("/") or ".." in name.split("/"):
        raise CatalogError(f"{where}: file {name!r} is no path inside a repository")
    known = {"sha256": sums.get(name), "size_bytes": sizes.get(name)}
    return {**known, **row}


def asset_row(row: Any) -> AssetRow:
    """A release asset's row; `name` is accepted for `asset`, other keys are left alone."""
    if not isinstance(row, Mapping):
        raise CatalogError(f"an asset row is {row!r}, needs a mapping with asset, cuda and glibc")
    spelled = {("asset" if key == "name" else key): value for key, value in row.items()}
    known = {key: value for key, value in spelled.items() if key in ASSET_KEYS}
    for key in ("glibc", "cuda"):
        # 2.39 without quotes is a number in YAML
        if isinstance(known.get(key), float):
            known[key] = str(known[key])
    return _validated(AssetRow, known, f"asset {known.get('asset', '?')}")


def _validated(kind: type[T], document: Any, where: str) -> T:
    try:
        return TypeAdapter(kind).validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CatalogError(f"{where}: {place}: {first['msg']}") from error
