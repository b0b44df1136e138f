"""untaken.py ROOT COVERAGE.json: the lines with branches that were not taken, as gcovr counted them.

Exit code 1: fewer than 90 % were taken."""

import json
import sys

root, counted = sys.argv[1:]
taken = total = 0
print("Lines with branches that were not taken:")
for file in sorted(json.load(open(counted))["files"], key=lambda file: file["file"]):
    text = open(f"{root}/{file['file']}").read().splitlines()
    for line in file["lines"]:
        branches = [branch["count"] for branch in line["branches"]]
        left = branches.count(0)
        total += len(branches)
        taken += len(branches) - left
        if left:
            number = line["line_number"]
            print(f"{file['file']}:{number}: {left} of {len(branches)}: {text[number - 1].strip()}")
print(f"{taken} of {total} branches were taken: {100 * taken / max(total, 1):.1f} %")
sys.exit(0 if taken >= 0.9 * total else 1)
