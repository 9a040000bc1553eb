import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { isFamily } from '../../../src/core/errors.js';
import { Hive, type HiveKey, patchData, patchName } from '../../../src/formats/regf/index.js';
import type { FilePatch } from '../../../src/formats/volume-file.js';
import {
  buildHive,
  differences,
  type HiveForm,
  judgedValue,
  mountedVolume,
  type TestKey,
} from '../../support/hives.js';
import { corpus, judge, run } from '../../support/judges.js';
import { bytesReader } from '../../support/reader.js';

const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-regf-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Tree {
  readonly name: string;
  readonly values: readonly (readonly [string, number, string])[];
  readonly keys: readonly Tree[];
}

async function readTree(hive: Hive, key: HiveKey): Promise<Tree> {
  const values: [string, number, string][] = [];
  for (const value of await hive.values(key)) {
    const data = await hive.data(value, 1 << 20);
    values.push([value.name, value.type, Buffer.from(data).toString('hex')]);
  }
  const keys: Tree[] = [];
  for await (const child of hive.subkeys(key)) keys.push(await readTree(hive, child));
  return { name: key.name, values, keys };
}

async function wholeTree(bytes: Uint8Array): Promise<Tree> {
  const hive = await Hive.open(bytesReader(bytes), {
    cells: Number.POSITIVE_INFINITY,
    bytes: Number.POSITIVE_INFINITY,
  });
  return readTree(hive, await hive.root());
}

const asTree = ({ name, values = [], keys = [] }: TestKey): Tree => ({
  name,
  values: values.map((value) => [value.name, value.type, Buffer.from(value.data).toString('hex')]),
  keys: keys.map(asTree),
});

function patched(bytes: Uint8Array, patches: readonly FilePatch[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (const { at, bytes: patch } of patches) copy.set(patch, at);
  return copy;
}

const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom(...'abcXYZ019 {}-:\\é') }),
  fc.constantFrom('Straße', 'Ωmega', '名前'),
);
const value = fc.record({
  name: fc.oneof(name, fc.constant('')),
  type: fc.integer({ min: 0, max: 11 }),
  data: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.integer({ min: 16340, max: 40000 }).map((length) => new Uint8Array(length).fill(length % 251)),
  ),
});
const { tree } = fc.letrec<{ tree: TestKey }>((tie) => ({
  tree: fc.record({
    name,
    values: fc.array(value, { maxLength: 4 }),
    keys: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant([]),
      fc.array(tie('tree'), { maxLength: 7 }),
    ),
  }),
}));
const form: fc.Arbitrary<HiveForm> = fc.record({ list: fc.constantFrom('li', 'lf', 'lh', 'ri') });

/** Small, with everything in it. */
const SAMPLE: TestKey = {
  name: 'ROOT',
  keys: [
    {
      name: 'MountedDevices',
      values: [
        { name: '\\DosDevices\\C:', type: 3, data: mountedVolume(0x5cbea03e, 1048576) },
        { name: '\\DosDevices\\D:', type: 3, data: mountedVolume(0x5cbea03e, 32256) },
      ],
    },
    { name: 'Select', values: [{ name: 'Current', type: 4, data: Uint8Array.from([1, 0, 0, 0]) }] },
    { name: 'Big', values: [{ name: 'data', type: 3, data: new Uint8Array(20_000).fill(0x5a) }] },
    ...['a', 'b', 'c', 'd'].map((each) => ({ name: each })),
  ],
};

describe('a registry hive', () => {
  it('is read as it was built, whatever its keys, values and lists', async () => {
    await fc.assert(
      fc.asyncProperty(tree, form, async (key, how) => {
        expect(await wholeTree(buildHive(key, how))).toEqual(asTree(key));
      }),
      { numRuns: 60 },
    );
  });

  it('finds keys and values whatever the case of their letters', async () => {
    const hive = await Hive.open(bytesReader(buildHive(SAMPLE, { list: 'ri' })));
    const key = await hive.find('MOUNTEDdevices');
    expect(key?.name).toBe('MountedDevices');
    if (key === undefined) return;
    const found = await hive.value(key, '\\dosdevices\\d:');
    expect(found?.name).toBe('\\DosDevices\\D:');
    expect(await hive.find('Select', 'nothing')).toBeUndefined();
    expect(await hive.value(key, '')).toBeUndefined();
  });

  it('takes data and names of the same length in their place, and nothing else changes', async () => {
    const bytes = buildHive(SAMPLE);
    const hive = await Hive.open(bytesReader(bytes));
    const devices = (await hive.find('MountedDevices')) ?? (await hive.root());
    const big = (await hive.find('Big')) ?? (await hive.root());
    const select = (await hive.find('Select')) ?? (await hive.root());
    const [c, d] = await hive.values(devices);
    const [blob] = await hive.values(big);
    const [current] = await hive.values(select);
    if (!c || !d || !blob || !current) throw new Error('values are missing');
    const patches = [
      ...patchData(c, mountedVolume(0x5cbea03e, 2097152)),
      patchName(d, '\\DosDevices\\E:'),
      ...patchData(blob, new Uint8Array(20_000).fill(0xa5)),
      ...patchData(current, Uint8Array.from([2, 0, 0, 0])),
    ];
    const after = patched(bytes, patches);
    const wanted = asTree(SAMPLE);
    const text = JSON.stringify(wanted)
      .replace('3ea0be5c0000100000000000', '3ea0be5c0000200000000000')
      .replace('DosDevices\\\\D:', 'DosDevices\\\\E:')
      .replace('5a'.repeat(20_000), 'a5'.repeat(20_000))
      .replace('01000000', '02000000');
    expect(await wholeTree(after)).toEqual(JSON.parse(text));
    expect(differences(bytes, after)).toHaveLength(1 + 1 + 20_000 + 1);
  });

  it('says why it is dirty', async () => {
    const open = async (bytes: Uint8Array) => (await Hive.open(bytesReader(bytes))).dirty;
    expect(await open(buildHive(SAMPLE))).toBeNull();
    expect(await open(buildHive(SAMPLE, { sequences: [206, 205] }))).toContain('206 and 205');
    const wrong = buildHive(SAMPLE);
    wrong[0x40] = 1;
    expect(await open(wrong)).toContain('checksum');
  });
});

describe('a hostile hive', () => {
  const bytes = buildHive({ ...SAMPLE, keys: SAMPLE.keys?.filter((key) => key.name !== 'Big') ?? [] });

  async function expectTyped(hostile: Uint8Array): Promise<void> {
    try {
      await wholeTree(hostile);
    } catch (error) {
      if (!isFamily(error, 'damaged') && !isFamily(error, 'unsupported')) throw error;
    }
  }

  it('cut at any length is damaged', async () => {
    for (let length = 0; length < bytes.length; length += 7) {
      const cut = Uint8Array.from(bytes.subarray(0, length));
      await expect(wholeTree(cut)).rejects.toMatchObject({ family: 'damaged' });
    }
  });

  it('with any byte changed is read or damaged, and reading ends', async () => {
    const used = [...Array(0x30).keys(), ...Array.from({ length: 1200 }, (_, at) => 4096 + at)];
    for (const at of used) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const flipped = Uint8Array.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ mask;
        await expectTyped(flipped);
      }
    }
  });

  it('whose list of lists holds itself, or the same leaf again and again, is damaged', async () => {
    const hive = Buffer.from(buildHive(SAMPLE, { list: 'ri' }));
    const at = hive.lastIndexOf('ri');
    for (const target of [at - 4 - 4096, hive.readUInt32LE(at + 4)]) {
      const looped = Buffer.from(hive);
      for (let entry = at + 4; entry < at + 16; entry += 4) looped.writeUInt32LE(target, entry);
      await expect(wholeTree(looped)).rejects.toMatchObject({ family: 'damaged' });
    }
  });
});

/** Keys and values that hivex sees; hivexml wants a pipe that it can open by name. */
function judgedCount(path: string): number[] {
  const shell = 'hivexml "$1" | grep -o -e "<node " -e "<value " | sort | uniq -c';
  return run('bash', ['-c', shell, 'count', path]).match(/\d+/g)?.map(Number) ?? [];
}

describe.skipIf(!judge('hivexsh', 'hivexml'))('hivex as the judge', () => {
  it('reads built hives as this program does, in every form', async () => {
    for (const list of ['li', 'lf', 'lh', 'ri'] as const) {
      const path = join(folder, `built-${list}`);
      writeFileSync(path, buildHive(SAMPLE, { list }));
      const data = judgedValue(path, ['MountedDevices'], '\\DosDevices\\C:');
      expect(data).toEqual(Buffer.from(mountedVolume(0x5cbea03e, 1048576)));
      expect(judgedCount(path)[0]).toBe(8);
    }
  });
});

const FILES = corpus();

describe.skipIf(FILES === undefined || !judge('hivexml'))('hives of real Windows', () => {
  const unpack = (name: string): Uint8Array => {
    const bytes = readFileSync(join(FILES ?? '', 'hives', name));
    return name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
  };

  const count = ({ values, keys }: Tree): readonly [number, number] =>
    keys.map(count).reduce(([k, v], [dk, dv]) => [k + dk, v + dv] as const, [1, values.length] as const);

  it.each([
    'win7-SYSTEM-clean-mbr.gz',
    'win81-SYSTEM-dirty-mbr.gz',
    'win10-SYSTEM-dirty-gpt.gz',
    'win-BCD-mbr',
    'win-BCD-gpt-locate',
    'win10-BCD-gpt',
  ])(
    '%s: as many keys and values as hivex sees',
    async (file) => {
      const bytes = unpack(file);
      const path = join(folder, file.replace('.gz', ''));
      writeFileSync(path, bytes);
      const [nodes = 0, values = 0] = judgedCount(path);
      expect(count(await wholeTree(bytes))).toEqual([nodes, values]);
    },
    120_000,
  );

  it('tells which are dirty', async () => {
    const dirty = async (file: string) => (await Hive.open(bytesReader(unpack(file)))).dirty;
    expect(await dirty('win7-SYSTEM-clean-mbr.gz')).toBeNull();
    expect(await dirty('win-BCD-mbr')).toBeNull();
    expect(await dirty('win81-SYSTEM-dirty-mbr.gz')).toContain('205 and 204');
    expect(await dirty('win10-SYSTEM-dirty-gpt.gz')).toContain('sequence numbers');
  });
});
