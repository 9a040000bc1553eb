import { closeSync, existsSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changeDisk } from '../../src/app/change.js';
import { resumeRun } from '../../src/app/resume.js';
import type { Services } from '../../src/app/services.js';
import { localStore } from '../../src/backends/local/local-store.js';
import { Journal } from '../../src/execute/journal.js';
import { rootJudge, run } from '../support/judges.js';
import { LoopStore, MKFS } from '../support/loop-store.js';
import { hashPieces } from '../support/mounts.js';
import { testServices } from '../support/services.js';
import { moveTo } from '../support/wishes.js';
import { Workbench } from '../support/workbench.js';

const MIB = 1 << 20;
const FROM = 21 * MIB;
const TO = MIB;
const LENGTH = 66 * MIB;
const BEHIND = FROM + LENGTH;
const DISTANCE = FROM - TO;
const DISK = BEHIND + 12 * MIB;

const MOVE = moveTo(1, TO);

const bench = new Workbench();
let store: LoopStore;
let disk = '';
afterEach(() => store.remove());
afterAll(() => bench.remove());

/** Two opaque partitions with something in places: what is shifted, and what is behind it. */
beforeEach(() => {
  store = new LoopStore(bench.newFolder(), MKFS.ext4);
  disk = join(store.point, 'disk.img');
  run('truncate', ['-s', String(DISK), disk]);
  const entry = (at: number, length: number) => `start=${at / 512}, size=${length / 512}, type=da`;
  const input = `label: dos\n${entry(FROM, LENGTH)}\n${entry(BEHIND, 11 * MIB)}\n`;
  run('sfdisk', ['-q', disk], { input });
  const fd = openSync(disk, 'r+');
  for (let at = FROM; at < BEHIND + 10 * MIB; at += 2 * MIB) {
    writeSync(fd, Buffer.alloc(MIB, at.toString(16)), 0, MIB, at);
  }
  closeSync(fd);
});

const contents = (at: number): string[] => [
  hashPieces(disk, { at, length: LENGTH }),
  hashPieces(disk, { at: BEHIND, length: 11 * MIB }),
];

/** Stops the run in front of its shift, and begins that as the runner would: the map is in the journal, nothing has moved. */
async function beginShift(): Promise<void> {
  const controller = new AbortController();
  const onProgress: Services['onProgress'] = ({ why }) => {
    if (why === 'hide the descriptor') controller.abort();
  };
  const services = testServices({
    signal: controller.signal,
    onProgress,
    onInFlight: () => controller.abort(),
  });
  const changed = changeDisk(disk, MOVE, { dryRun: false }, services);
  await expect(changed).rejects.toMatchObject({ family: 'interrupted' });
  const journal = await Journal.open(localStore, disk);
  const file = await localStore.open(disk, 'write');
  try {
    const phase = (await journal.checkpoints.read())?.phase ?? -1;
    const shift = { from: FROM, to: TO, length: LENGTH };
    const map = await file.shifter?.prepare(shift);
    if (map === undefined) throw new Error('no shift here');
    await journal.shift.write({ phase, shift, map, copiedBytes: 0 });
  } finally {
    await file.close();
    await journal.close();
  }
}

const collapse = () => run('fallocate', ['-c', '-o', `${TO}`, '-l', `${DISTANCE}`, disk]);
const insert = (at: number) => run('fallocate', ['-i', '-o', `${at}`, '-l', `${DISTANCE}`, disk]);

/** What a kill or a power cut can leave behind, made by fallocate(1). */
const STATES: readonly [string, () => void][] = [
  ['nothing is shifted', () => undefined],
  ['the stretch and what is behind it are shifted', collapse],
  [
    'both are, and the size was lost',
    () => {
      collapse();
      run('truncate', ['-s', String(DISK), disk]);
    },
  ],
  [
    'half of what is behind has come back',
    () => {
      collapse();
      insert(BEHIND - DISTANCE + 4 * MIB);
    },
  ],
  [
    'half of the stretch is shifted',
    () => {
      collapse();
      insert(TO + 40 * MIB);
    },
  ],
  [
    'everything is done',
    () => {
      collapse();
      insert(TO + LENGTH);
    },
  ],
];

const resume = () => resumeRun(disk, {}, testServices());

describe.skipIf(!rootJudge('mke2fs', 'sfdisk', 'fallocate'))('a shift that was cut off', () => {
  it.each(STATES)('is finished when %s', async (_, make) => {
    const wanted = contents(FROM);
    await beginShift();
    make();
    await resume();
    expect(contents(TO)).toEqual(wanted);
    expect(statSync(disk).size).toBe(DISK);
    expect(existsSync(`${disk}.vmreclaim`)).toBe(false);
  });

  it('is not finished when somebody has changed the file', async () => {
    await beginShift();
    run('fallocate', ['-p', '-o', String(FROM), '-l', String(MIB), disk]);
    await expect(resume()).rejects.toMatchObject({ code: 'shift-state' });
    expect(existsSync(join(`${disk}.vmreclaim`, 'shift'))).toBe(true);
  });

  it('is not finished without the native calls, and says what is missing', async () => {
    await beginShift();
    collapse();
    process.env.VMRECLAIM_NATIVE = 'off';
    const refused = resume();
    await expect(refused).rejects.toMatchObject({
      code: 'no-shift',
      detail: { hint: expect.stringContaining('with the optional module koffi') },
    });
    delete process.env.VMRECLAIM_NATIVE;
    await resume();
  });
});
