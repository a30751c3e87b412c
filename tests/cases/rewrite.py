"""`make cases`: write every case's outputs anew. decision.yaml is written by people alone."""

from __future__ import annotations

from tests.cases.harness import FOLDERS, all_judged, outputs


def main() -> None:
    for folder, case in all_judged().items():
        for old in (folder / "reply.txt", *folder.glob("out/*.eml")):
            old.unlink(missing_ok=True)
        for name, octets in outputs(case).items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(octets)
    print(f"{len(FOLDERS)} cases written; look at them with: git diff tests/cases")


if __name__ == "__main__":
    main()
