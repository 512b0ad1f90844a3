"""What is in the package without being a dependency of it, as CycloneDX components: `components.json`.

python .ci/vendored.py add SBOM.json        puts them into a bill of materials
python .ci/vendored.py check "MIT;BSD;..."  lists them; fails on a licence that is not one of these
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

LIST = Path(__file__).parent.parent / "src/claude_code_proxy/server/page/vendor/components.json"


def main(command: str, argument: str) -> int:
    """Run a command; the exit code."""
    components = json.loads(LIST.read_text(encoding="utf-8"))
    if command == "add":
        path = Path(argument)
        bill = json.loads(path.read_text(encoding="utf-8"))
        bill["components"] += components
        path.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
        return 0
    refused = 0
    for component in components:
        licences = [entry["license"]["id"] for entry in component["licenses"]]
        print(f" {component['name']}  {component['version']}  {' '.join(licences)} (vendored)")
        refused += not all(licence in argument.split(";") for licence in licences)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
