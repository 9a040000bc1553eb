import { describe, expect, it } from 'vitest';
import { HOLE, MappingPairs } from '../../../../src/formats/ntfs/mapping-pairs.js';
import { checkDeep } from '../../../../src/formats/ntfs/resize/check-deep.js';
import { enlargeNtfs } from '../../../../src/formats/ntfs/resize/enlarge.js';
import { shrinkNtfs } from '../../../../src/formats/ntfs/resize/shrink.js';
import { openVolume } from '../../../../src/formats/ntfs/volume.js';
import { concat, encodePairs, listEntry, nonResident, resident, type TestRun, TINY } from '../tiny-volume.js';
import { codeOf, VolumeBytes } from '../volumes.js';
import {
  clustersOf,
  everySecond,
  fill,
  mark,
  partitionOf,
  putRecord,
  resizable,
  resized,
  streamOf,
} from './tiny-resize.js';

const [LIST, DATA, MAP, FILLER] = [0x20, 0x80, 0xb0, 0x100];
const [MFT, FILE, OTHER, EXTENSION] = [0, 24, 25, 26];
const { clusterBytes, clusterCount } = TINY;
const sizeOf = (runs: readonly TestRun[]): number =>
  runs.reduce((sum, { length }) => sum + length, 0) * clusterBytes;

/** Owns every second cluster below the new end, so that what moves finds nothing but single ones. */
function leaveCrumbs(volume: Uint8Array, from: number, count: number): void {
  const crumbs = everySecond(from, count);
  putRecord(volume, OTHER, [streamOf(crumbs)]);
  mark(volume, [...crumbs, { lcn: 32, length: from - 32 }]);
  fill(volume, crumbs, 1);
}

/** Owns what leaveCrumbs() marked below the crumbs. */
const ballast = (from: number): Uint8Array =>
  streamOf([{ lcn: 32, length: from - 32 }], { name: 'ballast', instance: 7 });

async function sound(
  resize: typeof shrinkNtfs | typeof enlargeNtfs,
  volume: Uint8Array,
  clusters: number,
): Promise<Uint8Array> {
  const newSizeBytes = partitionOf(clusters);
  const after = await resized(volume, await resize(new VolumeBytes(volume), { newSizeBytes }), newSizeBytes);
  expect(await checkDeep(new VolumeBytes(after))).toEqual([]);
  return after;
}

const shrink = (volume: Uint8Array, clusters: number) => sound(shrinkNtfs, volume, clusters);
const enlarge = (volume: Uint8Array, clusters: number) => sound(enlargeNtfs, volume, clusters);

/** Runs of the first attribute of that type in the record itself. */
async function runsIn(volume: Uint8Array, file: number, type = DATA): Promise<TestRun[]> {
  const attribute = (await (await openVolume(new VolumeBytes(volume))).readFile(file)).find(type);
  const runs: TestRun[] = [];
  if (attribute?.isResident !== false) return runs;
  const pairs = new MappingPairs(clusterCount).open(attribute);
  while (pairs.next()) runs.push({ lcn: pairs.lcn, length: pairs.length });
  return runs;
}

describe('the bitmap of $MFT in its record', () => {
  it('gets the bit of a new extension record', async () => {
    const volume = resizable();
    leaveCrumbs(volume, 70, 64);
    const late = { lcn: 200, length: 50 };
    // What is resident leaves the mapping pairs of one run some room, but not those of fifty.
    putRecord(volume, FILE, [
      streamOf([late]),
      ballast(70),
      resident(DATA, 'resident', new Uint8Array(720).fill(9), 8),
    ]);
    mark(volume, [late]);
    fill(volume, [late], 2);
    const before = await clustersOf(volume, FILE);
    const after = await shrink(volume, 200);
    expect(await clustersOf(after, FILE)).toEqual(before);
    const opened = await openVolume(new VolumeBytes(after));
    expect(await opened.attributeList(await opened.readFile(FILE))).toMatchObject([
      { reference: { record: EXTENSION } },
      { name: 'ballast' },
      { name: 'resident' },
    ]);
    const bits = await opened.recordBitmap();
    expect(bits.isResident).toBe(true);
    expect(await bits.readAt(3, 1)).toEqual(Uint8Array.of(0x07));
    expect(await clustersOf(await enlarge(after, clusterCount), FILE)).toEqual(before);
  });
});

describe('an attribute list in several runs', () => {
  const list = everySecond(240, 3);

  /** The list lies in more clusters than its value needs: nothing forbids that. `filler`: bytes that stay in the record. */
  function withList(pieces: readonly [TestRun, TestRun], filler: number): Uint8Array {
    const volume = resizable();
    leaveCrumbs(volume, 70, 64);
    putRecord(volume, OTHER, [streamOf(everySecond(70, 64)), ballast(70)]);
    const [first, second] = pieces;
    const value = concat(
      listEntry(DATA, 0, FILE, 1),
      listEntry(DATA, first.length, EXTENSION, 0),
      listEntry(FILLER, 0, FILE, 8),
    );
    volume.set(value, (list[0]?.lcn ?? 0) * clusterBytes);
    const size = { dataSize: sizeOf(pieces), highestVcn: first.length - 1, instance: 1 };
    putRecord(volume, FILE, [
      nonResident(LIST, '', encodePairs(list), { dataSize: value.length, highestVcn: 2, instance: 3 }),
      nonResident(DATA, '', encodePairs([first]), size),
      resident(FILLER, '', new Uint8Array(filler).fill(9), 8),
    ]);
    const tail = { dataSize: 0, lowestVcn: first.length, highestVcn: first.length + second.length - 1 };
    putRecord(volume, EXTENSION, [nonResident(DATA, '', encodePairs([second]), tail)], FILE);
    const bits = resident(MAP, '', Uint8Array.of(0xff, 0xff, 0, 0x07, 0, 0, 0, 0), 2);
    putRecord(volume, MFT, [streamOf([TINY.mft]), bits]);
    mark(volume, [...list, ...pieces]);
    fill(volume, pieces, 4);
    return volume;
  }

  it.each([
    ['moves with its file', { length: 12, filler: 8 }, 3],
    ['is given up as a whole when its file is packed anew', { length: 38, filler: 720 }, 0],
  ])('%s', async (_name, { length, filler }, runs) => {
    const volume = withList(
      [
        { lcn: 200, length },
        { lcn: 246, length: 8 },
      ],
      filler,
    );
    const before = await clustersOf(volume, FILE);
    const after = await shrink(volume, 200);
    const moved = await runsIn(after, FILE, LIST);
    expect(moved).toHaveLength(runs);
    expect(moved.every(({ lcn }) => lcn < 200)).toBe(true);
    expect(await clustersOf(after, FILE)).toEqual(before);
    expect(await clustersOf(await enlarge(after, clusterCount), FILE)).toEqual(before);
  });
});

describe('an orphan of a file that is packed anew', () => {
  it('is refused when it has no room itself', async () => {
    const volume = resizable();
    leaveCrumbs(volume, 70, 64);
    putRecord(volume, OTHER, [streamOf(everySecond(70, 64)), ballast(70)]);
    const [late, lost] = [
      { lcn: 200, length: 38 },
      { lcn: 240, length: 14 },
    ];
    putRecord(volume, FILE, [streamOf([late]), resident(FILLER, '', new Uint8Array(800).fill(9), 8)]);
    putRecord(volume, EXTENSION, [streamOf([lost]), resident(FILLER, '', new Uint8Array(830), 8)], FILE);
    const bits = resident(MAP, '', Uint8Array.of(0xff, 0xff, 0, 0x07, 0, 0, 0, 0), 2);
    putRecord(volume, MFT, [streamOf([TINY.mft]), bits]);
    mark(volume, [late, lost]);
    const reader = new VolumeBytes(volume);
    expect(await codeOf(shrinkNtfs(reader, { newSizeBytes: partitionOf(200) }))).toBe('ntfs-record-full');
  });
});

/** An entry with a name, in the form of listEntry(). */
function namedEntry(name: string, holder: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((0x1a + name.length * 2) / 8) * 8);
  bytes.set(listEntry(DATA, 0, holder, 0));
  const view = new DataView(bytes.buffer);
  view.setUint16(0x04, bytes.length, true);
  view.setUint8(0x06, name.length);
  bytes.set(Buffer.from(name, 'utf16le'), 0x1a);
  return bytes;
}

describe('an attribute list that no free extent holds', () => {
  it('is written in several runs', async () => {
    const volume = resizable();
    leaveCrumbs(volume, 70, 64);
    // The room before the crumbs, too: names as long as these make a list of more than a cluster.
    const gaps = [
      { lcn: 3, length: 5 },
      { lcn: 16, length: 8 },
      { lcn: 25, length: 3 },
    ];
    const [late, list] = [
      { lcn: 200, length: 38 },
      { lcn: 240, length: 2 },
    ];
    putRecord(volume, OTHER, [
      streamOf(everySecond(70, 64)),
      ballast(70),
      streamOf(gaps, { name: 'gaps', instance: 8 }),
    ]);
    const streams = Array.from({ length: 8 }, (_, index) => ({
      holder: 16 + index,
      name: String.fromCharCode(0x61 + index).repeat(255),
    }));
    const value = concat(
      listEntry(DATA, 0, FILE, 1),
      ...streams.map(({ name, holder }) => namedEntry(name, holder)),
      listEntry(FILLER, 0, FILE, 8),
    );
    expect(value.length).toBeGreaterThan(clusterBytes);
    volume.set(value, list.lcn * clusterBytes);
    putRecord(volume, FILE, [
      streamOf([list], { type: LIST, instance: 3, dataSize: value.length }),
      streamOf([late]),
      resident(FILLER, '', new Uint8Array(720).fill(9), 8),
    ]);
    for (const { name, holder } of streams)
      putRecord(volume, holder, [resident(DATA, name, Uint8Array.of(holder))], FILE);
    const bits = resident(MAP, '', Uint8Array.of(0xff, 0xff, 0xff, 0x03, 0, 0, 0, 0), 2);
    putRecord(volume, MFT, [streamOf([TINY.mft]), bits]);
    mark(volume, [late, list, ...gaps]);
    fill(volume, [late], 5);
    const before = await clustersOf(volume, FILE);
    const after = await shrink(volume, 200);
    expect(await runsIn(after, FILE, LIST)).toHaveLength(2);
    expect(await clustersOf(after, FILE)).toEqual(before);
    const opened = await openVolume(new VolumeBytes(after));
    for (const { name, holder } of streams) {
      const stream = await opened.openStream(await opened.readFile(FILE), DATA, name);
      expect(await stream?.readAll(1)).toEqual(Uint8Array.of(holder));
    }
    expect(await clustersOf(await enlarge(after, clusterCount), FILE)).toEqual(before);
  });
});

describe('a new end inside a compression unit', () => {
  const UNIT = 16;
  /** Stored, compressed to five clusters, sparse, compressed to fifteen, stored in two runs. */
  const runs = [
    { lcn: 150, length: UNIT },
    { lcn: 166, length: 5 },
    { lcn: HOLE, length: 11 },
    { lcn: HOLE, length: UNIT },
    { lcn: 171, length: 15 },
    { lcn: HOLE, length: 1 },
    { lcn: 186, length: 10 },
    { lcn: 200, length: 6 },
  ];

  function compressed(): Uint8Array {
    const count = runs.reduce((sum, { length }) => sum + length, 0);
    const raw = nonResident(DATA, '', encodePairs(runs), {
      dataSize: count * clusterBytes,
      highestVcn: count - 1,
      flags: 1,
      instance: 1,
    });
    // The header of a compressed stream has a fourth size in front of the mapping pairs.
    const bytes = new Uint8Array(raw.length + 8);
    bytes.set(raw.subarray(0, 0x40));
    bytes.set(raw.subarray(0x40), 0x48);
    const view = new DataView(bytes.buffer);
    view.setUint32(0x04, bytes.length, true);
    view.setUint16(0x0a, 0x48, true);
    view.setUint16(0x20, 0x48, true);
    view.setUint8(0x22, 4);
    view.setBigInt64(0x40, BigInt(52 * clusterBytes), true);
    return bytes;
  }

  const used = runs.filter(({ lcn }) => lcn !== HOLE);

  it.each([150, 157, 166, 168, 171, 175, 185, 186, 190, 196, 200, 203])(
    'at cluster %i: every unit keeps its clusters and its hole',
    async (end) => {
      const volume = resizable();
      putRecord(volume, FILE, [compressed()]);
      mark(volume, used);
      fill(volume, used, 6);
      const before = await clustersOf(volume, FILE);
      const header = async (bytes: Uint8Array): Promise<Uint8Array | undefined> => {
        const file = await (await openVolume(new VolumeBytes(bytes))).readFile(FILE);
        const at = file.find(DATA)?.at ?? 0;
        return file.bytes.slice(at + 0x08, at + 0x48);
      };
      const after = await shrink(volume, end);
      expect(await clustersOf(after, FILE)).toEqual(before);
      expect(await header(after)).toEqual(await header(volume));
      // No run reaches from one unit into the next, as Windows writes them.
      let vcn = 0;
      for (const { lcn, length } of await runsIn(after, FILE)) {
        if (lcn !== HOLE) expect(Math.floor(vcn / UNIT)).toBe(Math.floor((vcn + length - 1) / UNIT));
        vcn += length;
      }
      expect(await clustersOf(await enlarge(after, clusterCount), FILE)).toEqual(before);
    },
  );
});
