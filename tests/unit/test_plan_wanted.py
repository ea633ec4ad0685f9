"""Wishes read from an inventory's data: what cannot be meant is told, with the option's name."""

from __future__ import annotations

import pytest

from boxwright.plan.wanted import WantedError, wanted_from


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("/srv/models", "/srv/models"),
        ("/srv/models/", "/srv/models"),
        ("/mnt//My Models/.", "/mnt/My Models"),
    ],
)
def test_directories_are_paths_without_what_says_nothing(given: str, meant: str) -> None:
    wanted = wanted_from({"models_directory": given, "runtime_directory": given})
    assert (wanted.models_directory, wanted.runtime_directory) == (meant, meant)


@pytest.mark.parametrize("name", ["models_directory", "runtime_directory"])
@pytest.mark.parametrize("path", ["", "models", "~/models", "/srv/../etc", "/srv/a\nb"])
def test_a_directory_that_cannot_be_meant_is_told_with_its_option(name: str, path: str) -> None:
    with pytest.raises(WantedError, match=f"option {name} is .* absolute path"):
        wanted_from({name: path})
