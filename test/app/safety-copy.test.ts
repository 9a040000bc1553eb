import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { changeDisk } from '../../src/app/change.js';
import type { Wish } from '../../src/app/plan.js';
import { restoreRun } from '../../src/app/restore.js';
import { goOn, resumeRun } from '../../src/app/resume.js';
import { besideCopy, rewrittenBy } from '../../src/app/room.js';
import type { Services } from '../../src/app/services.js';
import { createLocalStore, localStore } from '../../src/backends/local/local-store.js';
import type { Store } from '../../src/device/store.js';
import type { DiskSource } from '../../src/disk/types.js';
import { layoutRequest } from '../../src/plan/types.js';
import { newestCheckpointOf } from '../e2e/killer.js';
import { dyingStore } from '../support/dying-store.js';
import { rootJudge, run } from '../support/judges.js';
import { LoopStore, MKFS } from '../support/loop-store.js';
import { hashFile } from '../support/mounts.js';
import { testServices } from '../support/services.js';
import { diskIn, fileOf, writeDisk } from '../support/tracked-disk.js';

const MIB = 1 << 20;
const SHRINK: Wish = {
  request: () => layoutRequest({ command: 'shrink' }),
  measure: () => false,
  safetyCopy: true,
};
const YES = { confirm: async () => true };

let base = '';
let xfs: LoopStore | undefined;
let folder = '';
/** Names, modes, owners and bytes of everything in the folder. */
const stateOf = (where: string): string[] =>
  readdirSync(where)
    .sort()
    .map((name) => {
      const path = join(where, name);
      const { mode, uid, size } = statSync(path);
      return `${name} ${mode.toString(8)} ${uid} ${size} ${statSync(path).isFile() ? hashFile(path) : ''}`;
    });

/** Where a run is stopped: nothing changed yet, in the middle of a move, or with everything done but the last rename. */
type Stop = 'begin' | 'change' | 'tables' | 'finish';

async function stoppedAt(where: string, stop: Stop, wish = SHRINK): Promise<void> {
  const controller = new AbortController();
  const onProgress: Services['onProgress'] = ({ why }) => {
    // A folder in the way of the descriptor: the rename that ends the run fails.
    if (stop === 'finish' && why === 'hide the descriptor') mkdirSync(diskIn(where));
    if (stop === 'change' && why === 'move partition 1') controller.abort();
    if (stop === 'tables' && why === 'master boot record') controller.abort();
  };
  const onInFlight = () => {
    if (stop === 'begin') controller.abort();
  };
  const services = testServices({ onProgress, onInFlight, signal: controller.signal });
  const stopped = changeDisk(diskIn(where), wish, { dryRun: false }, services);
  await expect(stopped).rejects.toMatchObject({ family: 'interrupted' });
  if (stop === 'finish') rmdirSync(diskIn(where));
}

const restore = (where: string, store: Store = localStore) => restoreRun(store, diskIn(where), {}, YES);
const checkpointIn = (where: string) => newestCheckpointOf({ disk: diskIn(where) });

const hasXfs = rootJudge('mkfs.xfs', 'mke2fs', 'filefrag');
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'vmreclaim-safety-'));
  if (hasXfs) xfs = new LoopStore(base, MKFS.xfs);
});
afterAll(() => {
  xfs?.remove();
  rmSync(base, { recursive: true });
});

describe.skipIf(!hasXfs)('a run with a safety copy', () => {
  let count = 0;
  beforeEach(() => {
    folder = join(xfs?.point ?? base, `disk-${++count}`);
    writeDisk(folder);
  });

  it('that ends well leaves nothing of it', async () => {
    const names = readdirSync(folder).filter((name) => !/-(f002|f003|ctk)\.vmdk$/.test(name));
    const { plan, status } = await changeDisk(diskIn(folder), SHRINK, { dryRun: false }, testServices());
    expect(status).toBe('done');
    expect(plan.warnings.map(({ code }) => code)).toContain('safety-copy');
    expect(readdirSync(folder).sort()).toEqual(names.sort());
  });

  it.each(['begin', 'finish'] as const)('stopped at %s goes back to the very disk', async (stop) => {
    const [before, inode] = [stateOf(folder), statSync(fileOf(folder, 0)).ino];
    await stoppedAt(folder, stop);
    // What the stage is named for, or the test proves nothing.
    expect({ begin: false, finish: true }[stop]).toBe(checkpointIn(folder)?.started);
    expect(existsSync(fileOf(folder, 2))).toBe(stop !== 'finish');
    expect(await restore(folder)).toMatchObject({ restored: true, disk: diskIn(folder) });
    expect(stateOf(folder)).toEqual(before);
    expect(statSync(fileOf(folder, 0)).ino).toBe(inode);
  });

  it('shares blocks with the disk until they change', async () => {
    await stoppedAt(folder, 'begin');
    const copy = join(`${diskIn(folder)}.vmreclaim`, 'safety-0');
    const extents = run('filefrag', ['-v', copy])
      .split('\n')
      .filter((line) => /^ *\d+:/.test(line));
    expect(extents.length).toBeGreaterThan(0);
    for (const line of extents) expect(line).toContain('shared');
  });

  it('is not put back where a guest may have changed the disk since', async () => {
    await stoppedAt(folder, 'finish');
    renameSync(`${diskIn(folder)}.hidden-by-vmreclaim`, diskIn(folder));
    const bytes = stateOf(folder);
    await expect(restore(folder)).rejects.toMatchObject({ family: 'refused', code: 'guest-may-own' });
    expect(stateOf(folder)).toEqual(bytes);
    expect(await resumeRun(diskIn(folder), {}, testServices())).toMatchObject({ status: 'done' });
  });

  it('leaves the .vmx alone when somebody edited it meanwhile', async () => {
    await stoppedAt(folder, 'finish');
    const vmx = join(folder, 'x.vmx');
    writeFileSync(vmx, `${readFileSync(vmx, 'latin1')}memsize = "4096"\n`);
    const edited = readFileSync(vmx, 'latin1');
    await restore(folder);
    expect(readFileSync(vmx, 'latin1')).toBe(edited);
    expect(existsSync(join(folder, 'x-ctk.vmdk'))).toBe(true);
  });

  it('whose result is not what was promised keeps its copy, and goes back', async () => {
    const before = stateOf(folder);
    await stoppedAt(folder, 'tables');
    // The disk id, which no phase writes any more.
    const table = readFileSync(fileOf(folder, 0));
    table.writeUInt32LE(0x12345678, 440);
    writeFileSync(fileOf(folder, 0), table);
    const failed = resumeRun(diskIn(folder), {}, testServices());
    await expect(failed).rejects.toMatchObject({
      family: 'verify',
      detail: { hint: expect.stringContaining('abandon --restore') },
    });
    await restore(folder);
    expect(stateOf(folder)).toEqual(before);
  });
});

describe.skipIf(!hasXfs)('a safety copy', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(xfs?.point ?? base, 'damage-'));
    rmdirSync(folder);
    writeDisk(folder);
  });

  it('that is gone, was cut or is another file is refused, and nothing is put back', async () => {
    await stoppedAt(folder, 'change');
    const copy = join(`${diskIn(folder)}.vmreclaim`, 'safety-1');
    const before = stateOf(folder);
    const refusedFor = async (hurt: () => void) => {
      renameSync(copy, `${copy}.aside`);
      hurt();
      await expect(restore(folder)).rejects.toMatchObject({ family: 'damaged', code: 'safety-copy' });
      renameSync(`${copy}.aside`, copy);
    };
    await refusedFor(() => undefined);
    await refusedFor(() => run('cp', [`${copy}.aside`, copy]));
    truncateSync(copy, MIB / 2);
    await expect(restore(folder)).rejects.toMatchObject({ family: 'damaged', code: 'safety-copy' });
    expect(stateOf(folder)).toEqual(before);
    expect(checkpointIn(folder)?.restore).toBeUndefined();
    expect(await resumeRun(diskIn(folder), {}, testServices())).toMatchObject({ status: 'done' });
  });

  it('that was not made is refused with what there is to do', async () => {
    await stoppedAt(folder, 'change', { ...SHRINK, safetyCopy: false });
    await expect(restore(folder)).rejects.toMatchObject({
      code: 'no-safety-copy',
      detail: { hint: expect.stringContaining('vmreclaim resume') },
    });
  });

  it('is not taken over a file that somebody put in the place of the disk', async () => {
    await stoppedAt(folder, 'change');
    run('bash', ['-c', 'cp "$1" "$1.new" && mv "$1.new" "$1"', 'copy', fileOf(folder, 1)]);
    const before = stateOf(folder);
    await expect(restore(folder)).rejects.toMatchObject({ family: 'conflict', code: 'other-file' });
    expect(stateOf(folder)).toEqual(before);
  });

  it('is not taken where the store or the module is missing, and nothing is changed', async () => {
    const ext4 = new LoopStore(mkdtempSync(join(base, 'ext4-')), MKFS.ext4);
    try {
      const plain = join(ext4.point, 'disk');
      writeDisk(plain);
      const before = stateOf(plain);
      for (const dryRun of [true, false]) {
        const refusal = changeDisk(diskIn(plain), SHRINK, { dryRun }, testServices());
        await expect(refusal).rejects.toMatchObject({ family: 'refused', code: 'no-reflink' });
      }
      expect(stateOf(plain)).toEqual(before);
      const bare = createLocalStore(async () => undefined);
      expect(await bare.whyNoClone?.(diskIn(folder))).toMatchObject({ code: 'no-reflink' });
    } finally {
      ext4.remove();
    }
  });
});

/** A copy of a folder with a run in flight, as if it had begun there. */
function copyInFlight(from: string, to: string): void {
  run('cp', ['-a', '--reflink=always', from, to]);
  const path = join(to, 'x.vmdk.vmreclaim', 'run.json');
  const header = JSON.parse(readFileSync(path, 'utf8')) as {
    extents: { path: string; inode: string }[];
    safetyCopy: { copy: string; inode: string }[];
  };
  const inodeOf = (...names: string[]) =>
    `${statSync(join(to, ...names), { throwIfNoEntry: false })?.ino ?? 'gone'}`;
  for (const each of header.extents) each.inode = inodeOf(each.path);
  for (const each of header.safetyCopy) each.inode = inodeOf('x.vmdk.vmreclaim', each.copy);
  writeFileSync(path, JSON.stringify(header));
}

describe('the room that a safety copy needs', () => {
  const copy = { op: 'copy', from: 64 * MIB, to: 0, length: 2 * MIB } as const;
  const edges = 8192;

  it('is that of the blocks which are written anew, not of those that are shared once more', () => {
    expect(rewrittenBy(copy, {})).toBe(edges);
    expect(rewrittenBy(copy, { spill: true })).toBe(copy.length + edges);
    expect(rewrittenBy({ ...copy, to: 512 }, {})).toBe(copy.length + edges);
    expect(rewrittenBy({ ...copy, length: MIB / 2 }, {})).toBe(MIB / 2 + edges);
    expect(rewrittenBy({ op: 'write', at: 0, bytes: new Uint8Array(512) }, {})).toBe(512 + edges);
  });

  it('is never more than a second disk, and never less than without', () => {
    const disk = { allocatedBytes: 10 * MIB, sizeBytes: 100 * MIB } as DiskSource;
    expect(besideCopy({ allocates: MIB, rewrites: 5 * MIB }, disk)).toBe(5 * MIB);
    expect(besideCopy({ allocates: MIB, rewrites: 500 * MIB }, disk)).toBe(11 * MIB);
    expect(besideCopy({ allocates: 20 * MIB, rewrites: 0 }, disk)).toBe(20 * MIB);
    expect(besideCopy({ allocates: 0, rewrites: 500 * MIB }, { ...disk, allocatedBytes: null })).toBe(
      100 * MIB,
    );
  });
});

/** More steps than putting a disk back has. */
const MOST_STEPS = 60;

describe.skipIf(!hasXfs)('putting the disk back', () => {
  it('can be stopped in each of its steps, and goes on to the very disk', async () => {
    const where = mkdtempSync(join(xfs?.point ?? base, 'steps-'));
    const original = join(where, 'original');
    writeDisk(original);
    const before = stateOf(original);
    await stoppedAt(original, 'finish');
    let [step, restoring] = [0, 0];
    for (let isDead = true; isDead; step++) {
      const copy = join(where, `${step}`);
      copyInFlight(original, copy);
      isDead = await restore(copy, dyingStore(step)).then(
        () => false,
        () => true,
      );
      if (checkpointIn(copy)?.restore === 'begun') {
        restoring++;
        await expect(resumeRun(diskIn(copy), {}, testServices())).rejects.toMatchObject({
          code: 'restoring',
        });
      }
      // Without its header the folder is litter, and what is left of the steps only sweeps it up.
      isDead &&= existsSync(join(copy, 'x.vmdk.vmreclaim', 'run.json'));
      if (isDead) await finish(copy);
      else rmSync(join(copy, 'x.vmdk.vmreclaim'), { recursive: true, force: true });
      expect(stateOf(copy), `step ${step}`).toEqual(before);
      rmSync(copy, { recursive: true });
      expect(step).toBeLessThan(MOST_STEPS);
    }
    // Three extents, tracking file, .vmx and descriptor, each its own step, between the marks.
    expect(restoring).toBeGreaterThanOrEqual(6);
  });

  /** What an operator does: resume, where the disk was being put back; else the same command again. */
  async function finish(where: string): Promise<void> {
    if (checkpointIn(where)?.restore === undefined) await restore(where);
    else expect(await goOn(diskIn(where), {}, testServices())).toMatchObject({ restored: true });
  }
});
