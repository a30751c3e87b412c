"""`make cases`: write every case's outputs anew. decision.yaml is never touched: people write it."""

from __future__ import annotations

import asyncio

from tests.cases.harness import FOLDERS, judged, outputs


async def main() -> None:
    for folder in FOLDERS:
        case = await judged(folder)
        for old in (folder / "reply.txt", *folder.glob("out/*.eml")):
            old.unlink(missing_ok=True)
        for name, octets in outputs(case).items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(octets)
    print(f"{len(FOLDERS)} cases written; look at them with: git diff tests/cases")


if __name__ == "__main__":
    asyncio.run(main())
