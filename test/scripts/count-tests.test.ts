import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../scripts/count-tests.mjs', import.meta.url));

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmreclaim-count-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface FileReport {
  readonly status: 'passed' | 'failed';
  readonly tests: readonly string[];
}

/** The last line and the exit code of the count, for a report of these files and this exit code of the run. */
function count(files: readonly FileReport[] | undefined, status: number): [string, number | null] {
  const path = join(folder, 'report.json');
  rmSync(path, { force: true });
  const testResults = files?.map((file) => ({
    status: file.status,
    assertionResults: file.tests.map((outcome) => ({ status: outcome })),
  }));
  if (testResults !== undefined) writeFileSync(path, JSON.stringify({ testResults }));
  const result = spawnSync(process.execPath, [SCRIPT, path, String(status)], { encoding: 'utf8' });
  return [result.stdout.trimEnd(), result.status];
}

it('counts tests', () => {
  const first = { status: 'passed', tests: ['passed', 'skipped', 'pending', 'todo'] } as const;
  const second = { status: 'passed', tests: ['passed'] } as const;
  expect(count([first, second], 0)).toEqual(['2 passed, 0 failed, 3 skipped', 0]);
});

it('fails with a failed test, and with a file that did not get as far as a test', () => {
  expect(count([{ status: 'failed', tests: ['passed', 'failed'] }], 1)).toEqual([
    '1 passed, 1 failed, 0 skipped',
    1,
  ]);
  const notLoaded = { status: 'failed', tests: [] } as const;
  expect(count([{ status: 'passed', tests: ['passed'] }, notLoaded], 1)).toEqual([
    '1 passed, 1 failed, 0 skipped',
    1,
  ]);
});

it('fails when the run failed, ran nothing or left no report', () => {
  expect(count([{ status: 'passed', tests: ['passed'] }], 1)).toEqual(['1 passed, 1 failed, 0 skipped', 1]);
  expect(count([], 0)).toEqual(['0 passed, 1 failed, 0 skipped', 1]);
  expect(count(undefined, 0)).toEqual(['0 passed, 1 failed, 0 skipped', 1]);
});
