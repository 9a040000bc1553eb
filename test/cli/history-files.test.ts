import { execFile } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HistoryFiles, stateFolder } from '../../src/cli/history-files.js';
import type { HistoryRecord } from '../../src/history/types.js';
import { projectPath } from '../docs/markdown.js';
import { run, scan } from '../history/records.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmreclaim-history-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function readAll(files: HistoryFiles, kind: 'run' | 'scan' = 'run') {
  const damaged = { lines: 0 };
  const records: HistoryRecord[] = [];
  for await (const record of files.read(kind, damaged)) records.push(record);
  return { records, damaged: damaged.lines };
}

const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => run({ runId: `run-${from + index}` }));
const idsOf = ({ records }: { records: HistoryRecord[] }) =>
  records.map((record) => 'runId' in record && record.runId);

describe('HistoryFiles', () => {
  it('gives back what was appended, in order, runs apart from scans', async () => {
    const files = new HistoryFiles(join(folder, 'new', 'state'));
    expect(await readAll(files)).toEqual({ records: [], damaged: 0 });
    await files.append([run({ runId: 'a' })]);
    await files.append([scan(), scan({ disk: '/vms/b/b.vmdk' })]);
    await files.append([run({ runId: 'b' })]);
    expect(idsOf(await readAll(files))).toEqual(['a', 'b']);
    expect((await readAll(files, 'scan')).records).toHaveLength(2);
    expect(statSync(join(folder, 'new', 'state')).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'new', 'state', 'runs.ndjson')).mode & 0o777).toBe(0o600);
  });

  it('loses at most the last line when that is cut anywhere, and nothing that comes later', async () => {
    const path = join(folder, 'runs.ndjson');
    const files = new HistoryFiles(folder);
    await files.append(numbered(2));
    const [first = '', second = ''] = readFileSync(path, 'utf8').split('\n');
    const whole = readFileSync(path);
    const start = first.length + 1;
    // Every 17th byte, and all at both ends: each append is flushed.
    const inside = Array.from({ length: Math.floor(second.length / 17) }, (_, index) => start + index * 17);
    for (const length of [start + 1, start + 2, ...inside, whole.length - 2, whole.length - 1]) {
      writeFileSync(path, whole);
      truncateSync(path, length);
      await files.append(numbered(1, 2));
      const read = await readAll(files);
      // Cut before the newline only, the line is whole still; cut before its first byte, there is no line.
      const left = length - start;
      expect(idsOf(read)).toEqual(left === second.length ? ['run-0', 'run-1', 'run-2'] : ['run-0', 'run-2']);
      expect(read.damaged).toBe(left > 0 && left < second.length ? 1 : 0);
    }
  });

  it('counts damaged lines and reads those around them', async () => {
    const path = join(folder, 'runs.ndjson');
    const files = new HistoryFiles(folder);
    await files.append(numbered(1));
    appendFileSync(path, 'not a record\n\n{"crc":"00000000","record":{}}\n');
    appendFileSync(path, `${'x'.repeat(600_000)}\n`);
    await files.append(numbered(1, 1));
    const read = await readAll(files);
    expect(idsOf(read)).toEqual(['run-0', 'run-1']);
    expect(read.damaged).toBe(3);
  });

  it('puts full files aside and drops the oldest of them', async () => {
    const line = 1000;
    const limits = { fileBytes: line, files: 2 };
    const files = new HistoryFiles(folder, { run: limits, scan: limits });
    for (let index = 0; index < 8; index++) {
      await files.append(numbered(1, index).map((each) => ({ ...each, by: 'x'.repeat(line) })));
      // Names of files put aside tell the time in milliseconds.
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    expect(readdirSync(folder)).toHaveLength(3);
    expect(idsOf(await readAll(files))).toEqual(['run-5', 'run-6', 'run-7']);
  });

  it('loses nothing when several processes append and put aside at once', async () => {
    const processes = 4;
    const each = 40;
    const script = `
      const { HistoryFiles } = await import(${JSON.stringify(pathToFileURL(projectPath('dist/cli/history-files.js')).href)});
      const limits = { fileBytes: 20_000, files: 1000 };
      const files = new HistoryFiles(process.argv[1], { run: limits, scan: limits });
      const record = JSON.parse(process.argv[2]);
      for (let i = 0; i < ${each}; i++) await files.append([{ ...record, runId: process.argv[3] + '-' + i }]);`;
    const start = (name: string) =>
      promisify(execFile)(process.execPath, [
        '--input-type=module',
        '-e',
        script,
        folder,
        JSON.stringify(run()),
        name,
      ]);
    await Promise.all(Array.from({ length: processes }, (_, index) => start(`p${index}`)));
    const read = await readAll(new HistoryFiles(folder));
    expect(read.damaged).toBe(0);
    expect(new Set(idsOf(read)).size).toBe(processes * each);
    expect(readdirSync(folder).length).toBeGreaterThan(1);
  });

  it('says that it cannot be written', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(new HistoryFiles(join(folder, 'file')).append(numbered(1))).rejects.toMatchObject({
      family: 'device',
      code: 'history',
    });
  });

  it('reads what is no file as empty', async () => {
    mkdirSync(join(folder, 'runs.ndjson'));
    expect(await readAll(new HistoryFiles(folder))).toEqual({ records: [], damaged: 0 });
  });
});

describe('stateFolder', () => {
  it.each([
    [{ VMRECLAIM_STATE_DIR: '/a', XDG_STATE_HOME: '/b' }, '/a'],
    [{ XDG_STATE_HOME: '/b' }, '/b/vmreclaim'],
    [{ XDG_STATE_HOME: 'relative' }, /\/\.local\/state\/vmreclaim$/],
    [{}, /\/\.local\/state\/vmreclaim$/],
  ])('of %j', (env, expected) => {
    expect(stateFolder(env)).toMatch(expected instanceof RegExp ? expected : new RegExp(`^${expected}$`));
  });
});
