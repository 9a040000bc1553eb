import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadNative } from '../../src/backends/local/native.js';
import { nextShiftStep } from '../../src/backends/local/shift-steps.js';
import { decodeRecord } from '../../src/execute/record.js';
import type { ShiftRecord } from '../../src/execute/shift-file.js';
import { rootJudge, run } from '../support/judges.js';
import { MKFS } from '../support/loop-store.js';
import { hashPieces } from '../support/mounts.js';
import { seededRandom } from '../support/random.js';
import { Workbench } from '../support/workbench.js';
import { goOn, mountImage, runBeside } from './cutter.js';

/** Power cuts on each file system; scripts/campaign.sh asks for more. */
const CUTS = Number(process.env.VMRECLAIM_CUTS ?? 2);
const SEED = Number(process.env.VMRECLAIM_SEED ?? Date.now() % 1_000_000);

const BLOCK = 4096;
const SECTOR = 512;
/** Pieces of the file in the part that is shifted, and behind it. */
const PIECES = Number(process.env.VMRECLAIM_CUT_PIECES ?? 8_400);
const FROM = 656 * BLOCK;
const TO = 256 * BLOCK;
const LENGTH = 2 * PIECES * BLOCK;
const TAIL = LENGTH / 2;
const DISK = FROM + LENGTH + TAIL + 256 * BLOCK;

const bench = new Workbench();
const random = seededRandom(SEED);
afterAll(() => bench.remove());

/** A disk in pieces: every other block holds its own number, and those between are holes. */
function makeDisk(path: string): void {
  run('truncate', ['-s', String(DISK), path]);
  const entry = (start: number, size: number) => `start=${start / SECTOR}, size=${size / SECTOR}, type=da`;
  const input = `label: dos\n${entry(FROM, LENGTH)}\n${entry(FROM + LENGTH, TAIL)}\n`;
  run('sfdisk', ['-q', path], { input });
  const fd = openSync(path, 'r+');
  const block = Buffer.alloc(BLOCK);
  for (let at = FROM; at < FROM + LENGTH + TAIL; at += 2 * BLOCK) {
    block.fill(at.toString(16).padStart(16, '0'));
    writeSync(fd, block, 0, BLOCK, at);
  }
  fsyncSync(fd);
  closeSync(fd);
}

/** Moves the partition on the mounted store, beside somebody who cuts the power, or does not; returns what that one said. */
const move = (point: string, disk: string, seconds: number | 'never'): Promise<string> =>
  runBeside({ point, sign: 'shift', seconds }, disk, 'move-extents', disk, '--to', `1=${TO / SECTOR}`, '-y');

/** In which state the cut has left the file, by the map in the journal. */
async function stateOf(disk: string): Promise<string> {
  const native = await loadNative();
  const path = join(`${disk}.vmreclaim`, 'shift');
  if (native === undefined || !existsSync(path)) return 'not begun';
  const record = decodeRecord(readFileSync(path).subarray(0, -1)) as ShiftRecord;
  if (record.map === null) throw new Error('the file system has refused');
  const fd = openSync(disk, 'r');
  const found = native.extents(fd, 10 * PIECES);
  closeSync(fd);
  const extents = found.map(({ at, medium, length }) => [at, medium, length] as const);
  const now = { sizeBytes: statSync(disk).size, extents };
  const { step, isUntouched } = nextShiftStep(record.map, now, { from: FROM, to: TO, length: LENGTH });
  return isUntouched ? 'untouched' : step.do === 'nothing' ? 'done' : `half done, next ${step.do}`;
}

const STORES = [
  { name: 'ext4', mkfs: [...MKFS.ext4, '-J', 'size=4'] },
  { name: 'XFS without reflink', mkfs: ['mkfs.xfs', '-q', '-m', 'reflink=0'] },
];

/** A store with the disk; each use of it begins with a fresh one. */
class Store {
  private readonly folder = bench.newFolder();
  private readonly image = join(this.folder, 'store.img');
  readonly point = join(this.folder, 'store');
  readonly disk = join(this.point, 'disk.img');

  constructor([command = '', ...options]: readonly string[]) {
    run('mkdir', [this.point]);
    run('truncate', ['-s', '1G', `${this.image}.new`]);
    run(command, [...options, `${this.image}.new`]);
    mountImage(`${this.image}.new`, this.point);
    makeDisk(this.disk);
  }

  hashes(at: number): string[] {
    return [at, FROM + LENGTH].map((start, index) =>
      hashPieces(this.disk, { at: start, length: index === 0 ? LENGTH : TAIL }),
    );
  }

  async fresh<T>(use: () => Promise<T>): Promise<T> {
    run('umount', [this.point]);
    run('cp', ['--sparse=always', `${this.image}.new`, this.image]);
    mountImage(this.image, this.point);
    return use();
  }

  powerOn(): void {
    run('umount', [this.point]);
    mountImage(this.image, this.point);
  }

  remove(): void {
    run('umount', [this.point]);
    for (const path of [this.image, `${this.image}.new`]) rmSync(path, { force: true });
  }
}

async function cutMany(store: Store, wanted: readonly string[]): Promise<string[]> {
  const lasts = await store.fresh(async () => Number(await move(store.point, store.disk, 'never')));
  expect(store.hashes(TO)).toEqual(wanted);
  const states: string[] = [];
  for (let count = 0; count < CUTS; count++) {
    await store.fresh(async () => {
      expect(await move(store.point, store.disk, lasts * random())).toBe('cut');
      store.powerOn();
      states.push(await stateOf(store.disk));
      await goOn(store.disk);
      expect(store.hashes(TO)).toEqual(wanted);
    });
  }
  return states;
}

describe.skipIf(!rootJudge('mkfs.xfs', 'mke2fs', 'python3', 'sfdisk'))('the power is cut in a shift', () => {
  it.each(STORES)(
    'on $name: resumed, every block is where it belongs',
    async ({ name, mkfs }) => {
      const store = new Store(mkfs);
      try {
        const states = await cutMany(store, store.hashes(FROM));
        const tally = [...new Set(states)].map(
          (state) => `${states.filter((each) => each === state).length} ${state}`,
        );
        console.log(`${name}: ${CUTS} power cuts (${tally.join(', ')}), VMRECLAIM_SEED=${SEED}`);
      } finally {
        store.remove();
      }
    },
    120_000 + CUTS * 40_000,
  );
});
