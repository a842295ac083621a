"""The profiles' own checks of a crate, without a network: the one context that a crate names lies in a package."""

import json
from importlib.resources import files
from unittest.mock import patch

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
OF_VERSION_1_1 = {"ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow"}
"""What differs of the terms used between version 1.1 and the later one in the package."""
DOWNLOADS = ["ro-crate-1.1_3.1", "ro-crate-1.1_3.2"]
"""Checks that the context can be downloaded."""


def local_context(self, source, base, referenced_contexts):
    """Stand in for the download of a context in rdflib."""
    assert source == CONTEXT, f"{source} would be downloaded"
    document = json.loads(files("rocrate").joinpath("data", "ro-crate.jsonld").read_text(encoding="utf-8"))
    return {"@context": {**document["@context"], **OF_VERSION_1_1}}


def problems(folder, profile="workflow-run-crate-0.5"):
    """Return what the checks of a profile, and of those below it, find in a crate: all that is required."""
    from rocrate_validator.models import ValidationSettings
    from rocrate_validator.services import validate

    settings = ValidationSettings(
        rocrate_uri=str(folder),
        profile_identifier=profile,
        requirement_severity="REQUIRED",
        skip_checks=DOWNLOADS,
    )
    with patch("rdflib.plugins.shared.jsonld.context.Context._fetch_context", local_context):
        result = validate(settings)
    return [f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()]
