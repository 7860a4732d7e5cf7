"""Replay the golden vectors of an export: python -m serving.golden --export=DIR.

The same bits on this device as where the export was made? Needs NumPy,
ai_edge_litert and fastjsonschema only.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from serving.codec import golden_vectors
from serving.codec.ue_encoder import RUNTIMES


def main(argv: list[str] | None = None) -> int:
    """Command line; the status is 1 where an encoder fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--export", required=True, help="export directory")
    parser.add_argument("--runtime", default="interpreter", choices=sorted(RUNTIMES))
    parser.add_argument("--json", default="", help="also write the results here")
    options = parser.parse_args(argv)
    try:
        about = str(golden_vectors.read(Path(options.export))["about"])
        results = golden_vectors.compare(Path(options.export), options.runtime)
        if options.json:
            Path(options.json).write_text(
                json.dumps(results, indent=1) + "\n", encoding="utf-8"
            )
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"vectors: {about}")
    print(f"here:    {golden_vectors.describe_runtime(options.runtime)}")
    for name, result in results.items():
        verdict = "pass" if result["passed"] else "FAIL"
        print(
            f"{verdict} {name}: {result['bytes']} payload bytes differ, codeword "
            f"within {result['difference']:.1e}"
        )
    failed = [name for name, result in results.items() if not result["passed"]]
    if failed:
        print(f"error: not the golden bits: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
