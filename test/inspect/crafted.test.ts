import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KIB, MIB } from '../../src/core/units.js';
import { probeFilesystem } from '../../src/inspect/registry.js';
import { judge } from '../support/judges.js';
import { bytesReader, withFile } from '../support/reader.js';
import { blkid } from './blkid.js';
import {
  CRAFTED,
  type Crafted,
  craftedBytes,
  mdNew,
  swapHeader,
  word,
  writeCrafted,
  zfsLabel,
} from './crafted.js';

async function factsOf(crafted: Crafted) {
  return (await probeFilesystem(bytesReader(craftedBytes(crafted))))?.facts;
}

describe('signatures that no tool here makes', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmreclaim-crafted-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.skipIf(!judge('blkid')).each(CRAFTED)('$name is what blkid calls $type', async (crafted) => {
    const image = join(folder, 'image');
    writeCrafted(image, crafted);
    const judged = blkid(image);
    const facts = (await withFile(image, probeFilesystem))?.facts;
    expect(judged.TYPE).toBe(crafted.type);
    expect(facts?.kind).toBe(crafted.kind);
    expect(facts?.state).not.toBe('damaged');
    expect(facts?.label ?? undefined).toBe(judged.LABEL);
    expect(facts?.serial ?? undefined).toBe(judged.UUID);
    rmSync(image);
  });

  it.each([
    ['md 1.0', false],
    ['md 0.90', false],
    ['md 1.1', true],
    ['md 1.2', true],
    ['DRBD', false],
    ['ZFS', false],
    ['LVM2', true],
  ])('%s tolerates a larger partition: %s', async (name, tolerates) => {
    const crafted = CRAFTED.find((one) => one.name === name);
    const facts = crafted && (await factsOf(crafted));
    expect(facts?.move).toEqual({ blockers: [], copies: 'all', toleratesLargerPartition: tolerates });
  });

  it.each(['VMFS', 'BitLocker of Vista', 'ReFS', 'suspended swap'])('%s must not move', async (name) => {
    const crafted = CRAFTED.find((one) => one.name === name);
    const facts = crafted && (await factsOf(crafted));
    expect(facts?.move.blockers).toHaveLength(1);
    expect(facts?.move.blockers[0]?.hint).toBeTruthy();
    expect(facts?.reasons).toEqual(facts?.move.blockers);
  });

  it.each(['S1SUSPEND', 'S2SUSPEND', 'ULSUSPEND', 'LINHIB0001'])(
    'swap with %s is hibernated',
    async (signature) => {
      const facts = await factsOf({ name: signature, sizeBytes: MIB, patches: swapHeader(signature) });
      expect(facts).toMatchObject({ kind: 'swap', state: 'hibernated' });
      expect(facts?.move.blockers[0]?.code).toBe('hibernated');
    },
  );

  it('an unused swap signature over another header is none', async () => {
    expect(
      await factsOf({ name: 'stale', sizeBytes: MIB, patches: [[4086, word('SWAPSPACE2')]] }),
    ).toBeUndefined();
  });

  it('BitLocker To Go is not FAT', async () => {
    const guid = Uint8Array.from(Buffer.from('3bd66749292ed84a8399f6a339e3d001', 'hex'));
    const patches = [
      [0, Uint8Array.of(0xeb, 0x58, 0x90)],
      [3, word('MSWIN4.1')],
      [424, guid],
    ] as const;
    expect(await factsOf({ name: 'to go', sizeBytes: MIB, patches })).toMatchObject({ kind: 'bitlocker' });
  });

  it('ZFS is known by its last label alone', async () => {
    const patches = zfsLabel(2 * MIB - 256 * KIB);
    expect(await factsOf({ name: 'zfs', sizeBytes: 2 * MIB + 512, patches })).toMatchObject({ kind: 'zfs' });
  });

  it('an md superblock that was moved away from its place is none', async () => {
    const [, superblock] = mdNew(4 * KIB);
    expect(await factsOf({ name: 'md', sizeBytes: MIB, patches: [[0, superblock]] })).toBeUndefined();
  });

  it('BSD and Solaris labels must not move', async () => {
    const magic = Uint8Array.of(0x57, 0x45, 0x56, 0x82);
    const bsd = await factsOf({
      name: 'bsd',
      sizeBytes: MIB,
      patches: [
        [512, magic],
        [644, magic],
      ],
    });
    const vtoc = await factsOf({
      name: 'sun',
      sizeBytes: MIB,
      patches: [[524, Uint8Array.of(0xee, 0xde, 0x0d, 0x60)]],
    });
    for (const facts of [bsd, vtoc]) expect(facts?.move.blockers[0]?.code).toBe('nested-label');
  });

  it('nothing is nothing', async () => {
    for (const sizeBytes of [0, 1, 512, MIB]) {
      expect(await factsOf({ name: 'empty', sizeBytes, patches: [] })).toBeUndefined();
    }
  });
});
