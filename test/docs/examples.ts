import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { changeDisk } from '../../src/app/change.js';
import { runRecord } from '../../src/app/history.js';
import { runResult } from '../../src/app/outcome.js';
import { measureNone, planDisk, type Wish } from '../../src/app/plan.js';
import { resumeRun } from '../../src/app/resume.js';
import { scanTargets } from '../../src/app/scan.js';
import type { Services } from '../../src/app/services.js';
import { stopNotice } from '../../src/cli/signals.js';
import { KIB, MIB } from '../../src/core/units.js';
import { layoutRequest } from '../../src/plan/types.js';
import { advise } from '../../src/profile/advise.js';
import { NO_PROFILE } from '../../src/profile/defaults.js';
import { renderError } from '../../src/report/error.js';
import { historyDocument, renderHistory } from '../../src/report/history-table.js';
import { toJson } from '../../src/report/json.js';
import { buildOverview } from '../../src/report/overview/build.js';
import { renderOverviewTable } from '../../src/report/overview/table.js';
import { renderPlan } from '../../src/report/plan-table.js';
import { type RunResult, renderRunResult } from '../../src/report/run-result.js';
import { type ScanInput, scanDocument } from '../../src/report/scan-json.js';
import { renderScanTable } from '../../src/report/scan-table.js';

const DEMO = fileURLToPath(new URL('../../fixtures/demo/', import.meta.url));
/** The disk as the documents call it. */
const SHOWN = '/vmfs/volumes/ds1/demo/demo.vmdk';
const RENDER = { color: false, width: 80, unicode: true };
const ALIGN: Wish = { request: () => layoutRequest({ command: 'align' }), measure: measureNone };
const TICK_MS = 400;
/** What the documents show of a line, so that a sector in base64 does not fill them. */
const LINE_CHARACTERS = 108;

/** The demo disk in a folder of its own. */
function unpack(): { folder: string; disk: string } {
  const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-docs-'));
  copyFileSync(join(DEMO, 'demo.vmdk'), join(folder, 'demo.vmdk'));
  writeFileSync(join(folder, 'demo-flat.vmdk'), gunzipSync(readFileSync(join(DEMO, 'demo-flat.vmdk.gz'))));
  return { folder, disk: join(folder, 'demo.vmdk') };
}

/** A clock that goes on by the same time at each look, dice that always fall alike: examples are equal everywhere. */
function services(signal: AbortSignal, onProgress: Services['onProgress'] = () => undefined): Services {
  let now = Date.UTC(2026, 10, 23, 4, 20);
  return {
    version: '0.1.0',
    now: () => {
      now += TICK_MS;
      return now;
    },
    random: () => 0.8,
    peakMemoryBytes: () => 80 * MIB,
    signal,
    confirm: async () => true,
    onProgress,
  };
}

async function scanOf(disk: string): Promise<ScanInput> {
  const { signal } = new AbortController();
  const found = await scanTargets([disk], { signal, onProgress: () => undefined });
  const entries = found.map((entry) =>
    'facts' in entry
      ? { facts: { ...entry.facts, path: SHOWN, allocatedBytes: entry.facts.sizeBytes } }
      : entry,
  );
  return { entries, boundaryBytes: 64 * KIB, sort: 'path' };
}

/** Aligns the disk and stops it as Ctrl-C does, in the middle of the first move. */
async function interrupted(disk: string): Promise<unknown> {
  const controller = new AbortController();
  const stop: Services['onProgress'] = ({ why }) => {
    if (why === 'move partition 2') controller.abort();
  };
  try {
    await changeDisk(disk, ALIGN, { dryRun: false }, services(controller.signal, stop));
  } catch (error) {
    return error;
  }
  throw new Error('the run was not stopped');
}

const cut = (line: string): string =>
  line.length > LINE_CHARACTERS ? `${line.slice(0, LINE_CHARACTERS - 3)}...` : line;
/** The record at the start of a slot. */
const recordIn = (bytes: Buffer): string => bytes.toString('utf8', 0, bytes.indexOf('\n'));

function journalExamples(folder: string): [string, string][] {
  const run = join(folder, 'demo.vmdk.vmreclaim');
  const header = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
  // The inode is the machine's own; the plan has a document of its own, and the facts are long.
  const shown = {
    ...header,
    extents: [{ ...header.extents[0], inode: '1311' }],
    plan: '(the plan)',
    facts: '(the facts)',
  };
  const program = readFileSync(join(run, 'program'), 'utf8').trimEnd().split('\n').map(cut);
  const checkpoints = readFileSync(join(run, 'checkpoint'));
  const slots = [0, 4096].map((at) => recordIn(checkpoints.subarray(at, at + 4096)));
  const spill = readFileSync(join(run, 'spill'));
  const area = spill.length / 2;
  const saved = [0, area].map((at) => recordIn(spill.subarray(at, at + 4096))).filter((text) => text !== '');
  return [
    ['cat demo.vmdk.vmreclaim/run.json', toJson(shown)],
    ['cat demo.vmdk.vmreclaim/program', program.join('\n')],
    ['records of demo.vmdk.vmreclaim/checkpoint', slots.join('\n')],
    ['records of demo.vmdk.vmreclaim/spill', saved.join('\n')],
  ];
}

/** Everything the documents show as output, made by running it: by the command line behind `$`. */
export async function makeExamples(): Promise<Map<string, string>> {
  const { folder, disk } = unpack();
  const around = services(new AbortController().signal);
  const rename = (text: string) => text.replaceAll(disk, SHOWN);
  try {
    const scan = await scanOf(disk);
    const { plan } = await planDisk(disk, ALIGN, {}, around.signal);
    const shownPlan = { ...plan, disk: { ...plan.disk, path: SHOWN } };
    const error = await interrupted(disk);
    const journal = journalExamples(folder);
    const stopped = renderError(withShownPath(error, rename), RENDER).text;
    const resumed = runResult(await resumeRun(disk, {}, around), 'resume');
    const result: RunResult = JSON.parse(rename(JSON.stringify(resumed)));
    const checked = await checkedScan(disk);
    const smaller = await shrunk(disk, rename);
    const examples: [string, string][] = [
      [`vmreclaim scan ${SHOWN}`, renderScanTable(scan, { ...RENDER, check: false, details: false }).text],
      [`vmreclaim scan --json ${SHOWN}`, toJson(scanDocument(scan))],
      [`vmreclaim report ${SHOWN}`, reported(scan)],
      [`vmreclaim plan ${SHOWN}`, renderPlan(shownPlan, RENDER).text],
      [`vmreclaim plan --json ${SHOWN}`, toJson(shownPlan)],
      [`vmreclaim align --yes --quiet ${SHOWN}`, `^C\n${stopNotice('SIGINT', SHOWN)}\n${stopped}`],
      [`vmreclaim resume ${SHOWN}`, renderRunResult(result, RENDER).text],
      [`vmreclaim resume --json ${SHOWN}`, toJson(withoutPartitions(result))],
      [`vmreclaim scan --check ${SHOWN}`, checked],
      [`vmreclaim shrink --yes --quiet --size 1=24M ${SHOWN}`, renderRunResult(smaller, RENDER).text],
      [`vmreclaim history ${SHOWN}`, history([result, smaller])],
      ...journal,
    ];
    return new Map(examples.map(([command, text]) => [command, text.trimEnd()]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The report of the disk by the rules that are built in. */
function reported(scan: ScanInput): string {
  const overview = buildOverview({
    scan: scanDocument(scan),
    advise: (each) => advise(NO_PROFILE, each),
    runs: [],
    cost: null,
    sort: 'reclaimable',
    generatedAt: '2026-11-23T04:20:00.000Z',
  });
  return renderOverviewTable(overview, RENDER);
}

/** The history of these runs, an hour apart. */
function history(results: readonly RunResult[]): string {
  const records = results.map((result, index) => {
    const at = new Date(Date.UTC(2026, 10, 23, 4 + index, 20)).toISOString();
    return runRecord(result, null, 0, { at, by: 'root@backup1', version: '0.1.0' });
  });
  return renderHistory(historyDocument(records, 0, 0), { ...RENDER, details: false }).text;
}

/** The result of shrink when the first partition is made smaller. */
async function shrunk(disk: string, rename: (text: string) => string): Promise<RunResult> {
  const sizes = [{ number: 1, sizeBytes: 24 * MIB }];
  const wish: Wish = { request: () => layoutRequest({ command: 'shrink', sizes }), measure: () => true };
  const done = await changeDisk(disk, wish, { dryRun: false }, services(new AbortController().signal));
  return JSON.parse(rename(JSON.stringify(runResult(done, 'shrink'))));
}

/** Partitions look as in the JSON of a scan, which the same document shows. */
function withoutPartitions(result: RunResult): unknown {
  const partitions = '(as in the JSON of scan)';
  const { before, after } = result;
  return { ...result, before: { ...before, partitions }, after: { ...after, partitions } };
}

async function checkedScan(disk: string): Promise<string> {
  return renderScanTable(await scanOf(disk), { ...RENDER, check: true, details: false }).text;
}

/** The same error about the disk as the documents call it. */
function withShownPath(error: unknown, rename: (text: string) => string): unknown {
  if (!(error instanceof Error) || !('detail' in error)) return error;
  const detail = error.detail as Record<string, unknown>;
  const renamed = Object.fromEntries(
    Object.entries(detail).map(([key, value]) => [key, typeof value === 'string' ? rename(value) : value]),
  );
  return Object.assign(error, { detail: renamed });
}
