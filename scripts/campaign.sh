#!/usr/bin/env bash
# Kills the real command at random moments, resumes, and lets outside tools judge the disk: many rounds over every
# kind of move. Not part of CI, which does the same with a few kills.
#
#   scripts/campaign.sh [KILLS]      default 200
#
# Needs root and the judges (CONTRIBUTING.md). VMRECLAIM_SEED repeats the choices of an earlier campaign; the moments
# themselves depend on the machine.
set -euo pipefail
cd "$(dirname "$0")/.."

export VMRECLAIM_KILLS="${1:-200}" VMRECLAIM_SCENARIOS=99 VMRECLAIM_REQUIRE_JUDGES=1
npm run --silent build
exec npx vitest run test/e2e/kill.test.ts
