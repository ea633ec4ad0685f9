"""The one error of the catalog: data that does not validate, packaged or a user's."""

from __future__ import annotations


class CatalogError(ValueError):
    """A row that cannot be meant; the message names the row, the field and what is wrong."""
