"""Published JSON schema of a site file, for editors: money fields under the names an operator writes."""

from typing import Any, Final

from headrace.adapters.sitefile.schema import SiteFile
from headrace.core import Currency

__all__ = ["site_schema"]

_MONEY: Final = "_ccy_"


def site_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12); each money field appears once per currency, and one of them must be there."""
    schema = SiteFile.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Headrace site file"
    for model in (schema, *schema["$defs"].values()):
        _spell_out_money(model)
    return schema


def _spell_out_money(model: dict[str, Any]) -> None:
    """Replace each `_ccy_` property by one per currency, and drop the titles made from the model's names."""
    fields: dict[str, Any] = model.get("properties", {})
    for field in fields.values():
        field.pop("title", None)
    required: list[str] = model.get("required", [])
    if not any(_MONEY in key for key in fields):
        return
    model["properties"] = {name: field for key, field in fields.items() for name in _names(key)}
    choices = [[{"required": [name]} for name in _names(key)] for key in required if _MONEY in key]
    model["required"] = [key for key in required if _MONEY not in key]
    model["allOf"] = [{"oneOf": each} for each in choices]


def _names(key: str) -> list[str]:
    return [key.replace(_MONEY, f"_{currency.lower()}_") for currency in Currency] if _MONEY in key else [key]
