"""Merge patch (RFC 7396): what a PATCH means for values that are objects themselves."""

from collections.abc import Mapping
from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """The target with the patch laid over it: null takes a member away, objects are merged, all else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def patched(before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The new values of a row's columns: objects are merged into what is there, other values stand as they are."""
    return {
        name: merge_patch(before[name], value) if isinstance(value, Mapping) else value
        for name, value in values.items()
    }
