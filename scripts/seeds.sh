#!/usr/bin/env bash
# Makes many NTFS volumes of mixed content, shrinks each to its technical minimum and to somewhere between, enlarges it
# again, and lets outside tools judge. Not part of CI, which does the same with a few small ones.
#
#   scripts/seeds.sh [SEEDS]      default 20
#
# Needs root and the judges (CONTRIBUTING.md). VMRECLAIM_SEED is the first seed.
set -euo pipefail
cd "$(dirname "$0")/.."

export VMRECLAIM_SEEDS="${1:-20}" VMRECLAIM_REQUIRE_JUDGES=1
exec npx vitest run test/formats/ntfs/resize/seeds.test.ts
