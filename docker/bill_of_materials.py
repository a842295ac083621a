"""Print the image's bill of materials (CycloneDX 1.6, JSON): its Python packages and those of the system.

Run once, when the image is built; the same packages give the same bytes.
"""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

_FORMAT = "${binary:Package}\t${Version}\t${Architecture}\n"


def main() -> None:
    """Print it to standard output."""
    root = Component(name="weckd", type=ComponentType.CONTAINER, version=sys.argv[1], bom_ref="weckd")
    bom = Bom(components=sorted([*python_packages(), *system_packages()], key=lambda found: str(found.purl)))
    bom.metadata.component = root
    # Neither of the two decides what the image holds.
    bom.serial_number = None
    bom.metadata.timestamp = None
    bom.register_dependency(root, bom.components)
    print(JsonV1Dot6(bom).output_as_string(indent=1))


def python_packages() -> Iterator[Component]:
    """Yield the packages that this Python can import."""
    for found in distributions():
        yield component(found.name, found.version, "pypi")


def system_packages() -> Iterator[Component]:
    """Yield the packages that dpkg has installed."""
    listed = subprocess.run(
        ["dpkg-query", "--show", f"--showformat={_FORMAT}"],  # noqa: S607 - the image's own
        capture_output=True,
        text=True,
        check=True,
    )
    for line in listed.stdout.splitlines():
        name, version, architecture = line.split("\t")
        yield component(name.partition(":")[0], version, "deb", arch=architecture)


def component(name: str, version: str, kind: str, **qualifiers: str) -> Component:
    """Return a package, named as package URLs name it."""
    purl = PackageURL(kind, None, name.lower() if kind == "pypi" else name, version, qualifiers)
    return Component(name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=str(purl))


if __name__ == "__main__":
    main()
