import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootEdits } from '../../src/boot/index.js';
import { Places } from '../../src/boot/places.js';
import type { BootEdits, BootInput } from '../../src/boot/types.js';
import { readBootConfiguration } from '../../src/boot/windows/bcd.js';
import { moveMountedDevices, readMountedDevices } from '../../src/boot/windows/mounted-devices.js';
import { OffsetMap } from '../../src/boot/windows/offset-map.js';
import { moveReagent, reagentOffsets } from '../../src/boot/windows/reagent.js';
import { isFamily } from '../../src/core/errors.js';
import { Hive } from '../../src/formats/regf/index.js';
import {
  buildHive,
  deviceElement,
  differences,
  judgedValue,
  mountedVolume,
  ramdiskElement,
  shareData,
  type TestKey,
  volumeName,
} from '../support/hives.js';
import { corpus, judge, rootJudge, run } from '../support/judges.js';
import { extractFile, ntfsWith } from '../support/ntfs-files.js';
import { bytesReader, patchedReader } from '../support/reader.js';
import { bootInput, SIGNATURE, type TestPartition, written } from './inputs.js';

const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-boot-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SECTOR = 512;
const letter = (name: string, lba: number, signature = SIGNATURE) => ({
  name: `\\DosDevices\\${name}`,
  type: 3,
  data: mountedVolume(signature, lba * SECTOR),
});
const system = (values: TestKey['values']): TestKey => ({
  name: 'CMI-CreateHive{2A7FB991-7BBE-4F9D-B91E-7CB51D4737F5}',
  keys: [{ name: 'MountedDevices', values: values ?? [] }, { name: 'Select' }],
});
const element = (type: string, data: Uint8Array): TestKey => ({
  name: type,
  values: [{ name: 'Element', type: 3, data }],
});
const store = (objects: readonly (readonly TestKey[])[]): TestKey => ({
  name: 'NewStoreRoot',
  keys: [
    {
      name: 'Objects',
      keys: objects.map((keys, index) => ({
        name: `{0000000${index}-1111-2222-3333-444444444444}`,
        keys: [{ name: 'Description' }, { name: 'Elements', keys }],
      })),
    },
  ],
});

function partition(
  number: number,
  path: string,
  from: number,
  to: number,
): TestPartition & { bytes: Uint8Array } {
  const bytes = Uint8Array.from(readFileSync(path));
  return { number, filesystem: 'ntfs', volume: bytesReader(bytes), from, to, bytes };
}

/** Applies the edits to a copy of a volume, and returns its path. */
function applied({ number, bytes }: TestPartition & { bytes: Uint8Array }, { writes }: BootEdits): string {
  const path = join(folder, `applied-${number}`);
  writeFileSync(path, written(bytes, writes, number));
  expect(run('ntfsfix', ['-n', path])).toContain('processed successfully');
  return path;
}

const nothing: ReadonlySet<string> = new Set();

describe('MountedDevices', () => {
  const starts = fc.uniqueArray(fc.integer({ min: 1, max: 2 ** 31 }), { minLength: 1, maxLength: 6 });

  it('names every volume by its new place, also where places are exchanged', async () => {
    await fc.assert(
      fc.asyncProperty(
        starts.chain((lbas) =>
          fc.tuple(fc.constant(lbas), fc.shuffledSubarray(lbas, { minLength: lbas.length })),
        ),
        fc.boolean(),
        async ([lbas, targets], byName) => {
          const stale = byName ? [] : [letter('Z:', 2 ** 31 + 1)];
          const values = lbas.map((lba, index) => ({
            ...letter(`${'CDEFGH'[index]}:`, lba),
            ...(byName ? { name: volumeName(SIGNATURE, lba * SECTOR) } : {}),
          }));
          const foreign = lbas.map((lba) => ({ ...letter('Q:', lba, 0x11223344), name: `other ${lba}` }));
          const bytes = buildHive(system([...values, ...stale, ...foreign]));
          const volume = bytesReader(new Uint8Array(SECTOR));
          const places = new Places(
            bootInput(
              lbas.map((from, index) => ({
                number: index + 1,
                filesystem: 'ntfs',
                volume,
                from,
                to: targets[index] ?? 0,
              })),
            ),
          );
          const devices = await readMountedDevices(await Hive.open(bytesReader(bytes)));
          if (devices === undefined) throw new Error('no MountedDevices');
          const { patches, warnings } = moveMountedDevices(devices, new OffsetMap(SIGNATURE, places));
          for (const patch of patches) bytes.set(patch.bytes, patch.at);
          const hive = await Hive.open(bytesReader(bytes));
          const key = (await hive.find('MountedDevices')) ?? (await hive.root());
          const now: [string, string][] = [];
          for (const value of await hive.values(key)) {
            now.push([value.name, Buffer.from(await hive.data(value, 12)).toString('hex')]);
          }
          const wanted = values.map(({ name }, index) => {
            const to = (targets[index] ?? 0) * SECTOR;
            const data = Buffer.from(mountedVolume(SIGNATURE, to)).toString('hex');
            return [byName ? volumeName(SIGNATURE, to) : name, data];
          });
          const rest = [...stale, ...foreign].map(({ name, data }) => [
            name,
            Buffer.from(data).toString('hex'),
          ]);
          expect(now).toEqual([...wanted, ...rest]);
          expect(warnings).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('says which left-over values stand in the way, and leaves them', async () => {
    const gone = {
      name: volumeName(SIGNATURE, 4096 * SECTOR),
      type: 3,
      data: mountedVolume(SIGNATURE, 4096 * SECTOR),
    };
    const mine = {
      name: volumeName(SIGNATURE, 63 * SECTOR),
      type: 3,
      data: mountedVolume(SIGNATURE, 63 * SECTOR),
    };
    const bytes = buildHive(system([gone, mine]));
    const devices = await readMountedDevices(await Hive.open(bytesReader(bytes)));
    const volume = bytesReader(new Uint8Array(SECTOR));
    const input = bootInput([{ number: 1, filesystem: 'ntfs', volume, from: 63, to: 4096 }]);
    const edit = moveMountedDevices(devices ?? { values: [] }, new OffsetMap(SIGNATURE, new Places(input)));
    expect(edit.warnings.map(({ code }) => code)).toEqual(['stale-mounted-device', 'volume-name-taken']);
    expect(edit.patches).toHaveLength(1);
  });

  it('renames no volume to the name of one that has to keep its own', async () => {
    // 1 follows 2, 2 follows 3, and the new name of 3 is taken by a volume that is gone.
    const lbas = [2048, 4096, 8192, 16384];
    const names = lbas.map((lba) => volumeName(SIGNATURE, lba * SECTOR));
    const values = names.map((name, index) => ({ ...letter('', lbas[index] ?? 0), name }));
    const bytes = buildHive(system(values));
    const devices = await readMountedDevices(await Hive.open(bytesReader(bytes)));
    const volume = bytesReader(new Uint8Array(SECTOR));
    const input = bootInput(
      [1, 2, 3].map((number) => {
        const [from = 0, to = 0] = lbas.slice(number - 1);
        return { number, filesystem: 'ntfs', volume, from, to };
      }),
    );
    const edit = moveMountedDevices(devices ?? { values: [] }, new OffsetMap(SIGNATURE, new Places(input)));
    expect(edit.warnings.map(({ code }) => code)).toEqual([
      'volume-name-taken',
      'volume-name-taken',
      'volume-name-taken',
      'stale-mounted-device',
    ]);
    for (const patch of edit.patches) bytes.set(patch.bytes, patch.at);
    const hive = await Hive.open(bytesReader(bytes));
    const now = await hive.values((await hive.find('MountedDevices')) ?? (await hive.root()));
    expect(now.map(({ name }) => name)).toEqual(names);
  });
});

describe('hives that make one read without end', () => {
  it('are damaged: more than a few thousand cells, more partitions than a PC has', async () => {
    const values = Array.from({ length: 50 }, (_, index) => letter(`${index}:`, index + 1));
    const hive = await Hive.open(bytesReader(buildHive(system(values))), { cells: 100, bytes: 1 << 20 });
    await expect(readMountedDevices(hive)).rejects.toMatchObject({
      family: 'damaged',
      code: 'regf-too-much',
    });
    const few = await Hive.open(bytesReader(buildHive(system(values))), { cells: 1000, bytes: 2000 });
    await expect(readMountedDevices(few)).rejects.toMatchObject({ code: 'regf-too-much' });
    const records = Buffer.concat(
      Array.from({ length: 900 }, () => deviceElement(SIGNATURE, 63 * SECTOR).slice(16)),
    );
    const elements = Array.from({ length: 12 }, (_, index) =>
      element(`1100000${index.toString(16)}`, records),
    );
    const bcd = await Hive.open(bytesReader(buildHive(store([elements]))));
    await expect(readBootConfiguration(bcd)).rejects.toMatchObject({
      family: 'damaged',
      code: 'bcd-too-much',
    });
  });
});

describe('ReAgent.xml', () => {
  const location = (offset: number, id = SIGNATURE, guid = '00000000-0000-0000-0000-000000000000') =>
    `<WinreLocation path="\\Recovery\\WindowsRE" id="${id}" offset="${offset}" guid="{${guid}}"/>`;
  const file = (...elements: string[]) =>
    Buffer.from(
      `<?xml version='1.0'?>\r\n<WindowsRE version="2.0">\r\n  ${elements.join('\r\n  ')}\r\n</WindowsRE>\r\n`,
    );
  const disk = { table: 'mbr', id: SIGNATURE.toString(16) } as const;
  const map = (to: number) => (offset: bigint) => (offset === 32256n ? BigInt(to) : undefined);
  const move = (bytes: Uint8Array, to: number, where: Parameters<typeof moveReagent>[1] = disk) =>
    Buffer.from(moveReagent(bytes, where, map(to)) ?? []).toString();

  it('keeps its length with fewer, as many and more digits, and means the same', () => {
    const before = file(
      location(32256),
      '<ImageLocation path="" id="0" offset="0" guid="{0}"/>',
      location(32256, 7),
    );
    for (const to of [512, 65536, 1048576, 999999999999]) {
      const after = move(before, to);
      expect(after).toHaveLength(before.length);
      const loose = (text: string): string => text.replace(/>\s+</g, '><').replace(/" +/g, '" ');
      expect(loose(after)).toBe(loose(before.toString().replace('offset="32256"', `offset="${to}"`)));
    }
  });

  it('is left alone when there is no room, and when it means another disk', () => {
    const tight = Buffer.from(location(32256));
    expect(moveReagent(tight, disk, map(1048576))).toBeUndefined();
    expect(move(file(location(32256, 7)), 65536)).toBe(file(location(32256, 7)).toString());
  });

  it('is read with either kind of quotation marks', () => {
    const bytes = Buffer.from(file(location(32256)).toString().replaceAll('"', "'").replaceAll("='", " = '"));
    expect(move(bytes, 65536)).toBe(bytes.toString().replace("'32256'", "'65536'"));
  });

  it('that cannot be read is no reason to say nothing', () => {
    const wide = Buffer.from(`\ufeff${file(location(32256))}`, 'utf16le');
    const hexadecimal = Buffer.from(file(location(32256)).toString().replace('32256', '0x7e00'));
    for (const bytes of [wide, hexadecimal, Buffer.alloc(0)]) {
      expect(() => reagentOffsets(bytes, disk)).toThrow(expect.objectContaining({ code: 'reagent-form' }));
    }
  });

  it('is found by the GUID of a GPT disk', () => {
    const guid = '8c0d6f4a-1111-2222-3333-444455556666';
    const bytes = file(location(32256, 0, guid.toUpperCase()));
    expect(move(bytes, 65536, { table: 'gpt', id: guid })).toContain('offset="65536"');
  });
});

describe.skipIf(!rootJudge('mkntfs', 'ntfs-3g', 'ntfsfix', 'hivexsh'))(
  'a Windows whose partitions move',
  () => {
    const R = 2048; // the partition the PC starts from
    const C = 67_584;
    let boot: ReturnType<typeof partition>;
    let windows: ReturnType<typeof partition>;

    beforeAll(() => {
      const objects = [
        [element('11000001', deviceElement(SIGNATURE, R * SECTOR))],
        [
          element('11000001', deviceElement(SIGNATURE, C * SECTOR)),
          element('21000001', ramdiskElement(SIGNATURE, C * SECTOR, '\\Recovery\\WindowsRE\\Winre.wim')),
          element('12000004', Buffer.from('Windows\0', 'utf16le')),
          element('31000003', deviceElement(0x11223344, C * SECTOR)),
        ],
      ];
      const values = [letter('C:', C), letter('S:', R), letter('D:', C, 0x11223344)];
      const names = [R, C].map((lba) => ({ ...letter('', lba), name: volumeName(SIGNATURE, lba * SECTOR) }));
      const reagent = `<WindowsRE>\r\n  <WinreLocation path="" id="${SIGNATURE}" offset="${C * SECTOR}" guid=""/>\r\n</WindowsRE>\r\n`;
      boot = partition(1, ntfsWith(folder, 'boot', { 'Boot/BCD': buildHive(store(objects)) }), R, C);
      windows = partition(
        2,
        ntfsWith(folder, 'windows', {
          'Windows/System32/config/SYSTEM': buildHive(system([...values, ...names])),
          'Windows/System32/Recovery/ReAgent.xml': Buffer.from(reagent),
        }),
        C,
        C + 65_536,
      );
    });

    it('finds itself: collisions, nested devices, names, and the other disk untouched', async () => {
      const edits = await bootEdits(bootInput([boot, windows]), nothing);
      expect(edits.warnings).toEqual([]);
      expect(edits.fixups).toEqual([
        {
          kind: 'bcd',
          partition: 1,
          message: 'boot configuration (BCD): 3 device elements of 2 objects at the new places',
        },
        {
          kind: 'mounted-devices',
          partition: 2,
          message: 'MountedDevices of Windows: C:, S:, 2 volume names at the new places',
        },
        {
          kind: 'reagent',
          partition: 2,
          message: 'ReAgent.xml: the recovery image at its new place',
        },
      ]);
      const bcd = extractFile(applied(boot, edits), 'Boot/BCD', join(folder, 'BCD'));
      const at = (index: number, type: string) =>
        judgedValue(
          bcd,
          ['Objects', `{0000000${index}-1111-2222-3333-444444444444}`, 'Elements', type],
          'Element',
        );
      const to = (windows.to as number) * SECTOR;
      expect(at(0, '11000001')).toEqual(Buffer.from(deviceElement(SIGNATURE, C * SECTOR)));
      expect(at(1, '11000001')).toEqual(Buffer.from(deviceElement(SIGNATURE, to)));
      expect(at(1, '21000001')).toEqual(
        Buffer.from(ramdiskElement(SIGNATURE, to, '\\Recovery\\WindowsRE\\Winre.wim')),
      );
      expect(at(1, '31000003')).toEqual(Buffer.from(deviceElement(0x11223344, C * SECTOR)));
      const hive = extractFile(
        applied(windows, edits),
        'Windows/System32/config/SYSTEM',
        join(folder, 'SYSTEM'),
      );
      const device = (name: string) => judgedValue(hive, ['MountedDevices'], name);
      expect(device('\\DosDevices\\C:')).toEqual(Buffer.from(mountedVolume(SIGNATURE, to)));
      expect(device('\\DosDevices\\S:')).toEqual(Buffer.from(mountedVolume(SIGNATURE, C * SECTOR)));
      expect(device('\\DosDevices\\D:')).toEqual(Buffer.from(mountedVolume(0x11223344, C * SECTOR)));
      expect(device(volumeName(SIGNATURE, to))).toEqual(Buffer.from(mountedVolume(SIGNATURE, to)));
      expect(device(volumeName(SIGNATURE, C * SECTOR))).toEqual(
        Buffer.from(mountedVolume(SIGNATURE, C * SECTOR)),
      );
      const xml = extractFile(
        applied(windows, edits),
        'Windows/System32/Recovery/ReAgent.xml',
        join(folder, 'xml'),
      );
      expect(readFileSync(xml, 'utf8')).toContain(`offset="${to}"`);
    });

    it('patches a hive once that has several names, and values that are stored in one place', async () => {
      const bytes = buildHive(system([letter('C:', C), letter('S:', C)]));
      const path = ntfsWith(folder, 'linked', {
        'Windows/System32/config/SYSTEM': shareData(bytes, '\\DosDevices\\C:', '\\DosDevices\\S:'),
        'WINNT/system32/config/system': 'Windows/System32/config/SYSTEM',
        'Boot/BCD': buildHive(store([[element('11000001', deviceElement(SIGNATURE, C * SECTOR))]])),
        'EFI/Microsoft/Boot/BCD': 'Boot/BCD',
      });
      const linked = partition(1, path, C, R);
      const edits = await bootEdits(bootInput([linked]), nothing);
      expect(edits.fixups.map(({ kind }) => kind)).toEqual(['mounted-devices', 'bcd']);
      expect(edits.writes).toHaveLength(2);
      const volume = applied(linked, edits);
      const hive = extractFile(volume, 'WINNT/system32/config/system', join(folder, 'linked-SYSTEM'));
      for (const name of ['C:', 'S:']) {
        const now = judgedValue(hive, ['MountedDevices'], `\\DosDevices\\${name}`);
        expect(now).toEqual(Buffer.from(mountedVolume(SIGNATURE, R * SECTOR)));
      }
      const bcd = extractFile(volume, 'EFI/Microsoft/Boot/BCD', join(folder, 'linked-BCD'));
      const keys = ['Objects', '{00000000-1111-2222-3333-444444444444}', 'Elements', '11000001'];
      expect(judgedValue(bcd, keys, 'Element')).toEqual(Buffer.from(deviceElement(SIGNATURE, R * SECTOR)));
    });

    it('has the hive of an installation in another folder patched too', async () => {
      const path = ntfsWith(folder, 'other', {
        'WINDOWS.0/System32/config/SYSTEM': buildHive(system([letter('C:', C)])),
        'Winery/notes': Buffer.from('no Windows'),
      });
      const other = partition(1, path, C, R);
      const edits = await bootEdits(bootInput([other]), nothing);
      expect(edits.fixups.map(({ message }) => message)).toEqual([
        'MountedDevices of the Windows in \\WINDOWS.0: C: at the new places',
      ]);
      const hive = extractFile(
        applied(other, edits),
        'WINDOWS.0/System32/config/SYSTEM',
        join(folder, 'other-SYSTEM'),
      );
      const now = judgedValue(hive, ['MountedDevices'], '\\DosDevices\\C:');
      expect(now).toEqual(Buffer.from(mountedVolume(SIGNATURE, R * SECTOR)));
    });

    it('is refused where names differ in nothing but letter case', async () => {
      const hive = buildHive(system([letter('C:', C)]));
      for (const [name, double] of [
        ['folders', 'WINDOWS/empty'],
        ['files', 'Windows/System32/config/System'],
      ] as const) {
        const files = { 'Windows/System32/config/SYSTEM': hive, [double]: Buffer.from('another') };
        const input = bootInput([partition(1, ntfsWith(folder, `double-${name}`, files), C, R)]);
        await expect(bootEdits(input, nothing)).rejects.toMatchObject({ code: 'ntfs-name-twice' });
        expect((await bootEdits(input, new Set(['mounted-devices']))).writes).toEqual([]);
      }
    });

    it('is refused with a dirty hive also where that names nothing that moves, or no volume at all', async () => {
      const keys: TestKey[] = [system([letter('C:', R)]), { name: 'ROOT', keys: [{ name: 'Select' }] }];
      for (const [index, root] of keys.entries()) {
        const dirty = buildHive(root, { sequences: [9, 8] });
        const path = ntfsWith(folder, `dirty-${index}`, { 'Windows/System32/config/SYSTEM': dirty });
        const stays = partition(1, path, R, R);
        const input = bootInput([stays, { ...boot, number: 2, from: C, to: 2 * C }]);
        await expect(bootEdits(input, nothing)).rejects.toMatchObject({ code: 'regf-dirty' });
      }
    });

    it('changes nothing when nothing moves, and nothing by GUID', async () => {
      const still = bootInput([boot, windows].map((each) => ({ ...each, to: each.from })));
      expect(await bootEdits(still, nothing)).toEqual({ writes: [], fixups: [], warnings: [] });
      const gpt = bootInput([boot, windows], {
        table: 'gpt',
        diskId: '8c0d6f4a-1111-2222-3333-444455556666',
      });
      expect((await bootEdits(gpt, nothing)).writes).toEqual([]);
    });

    it('is refused where it cannot be written, says what to skip, and then leaves it', async () => {
      const obstacle = { code: 'ntfs-hibernated', message: 'Windows is hibernated', hint: 'wake it up' };
      const input = bootInput([boot, { ...windows, obstacle }]);
      await expect(bootEdits(input, nothing)).rejects.toMatchObject({
        family: 'refused',
        code: 'ntfs-hibernated',
        detail: { hint: 'wake it up; or leave it as it is with --skip-boot-fixups mounted-devices' },
      });
      const { writes, warnings } = await bootEdits(input, new Set(['mounted-devices']));
      expect(writes.map((write) => write.partition)).not.toContain(2);
      expect(warnings.map(({ code }) => code)).toEqual(['boot-fixup-skipped', 'reagent-unchanged']);
    });

    it('comes to a typed error or to the same patches when its hive is cut or changed', async () => {
      const input: BootInput = bootInput([boot, windows]);
      const hive = buildHive(system([letter('C:', C), letter('S:', R)]));
      const path = ntfsWith(folder, 'hostile', { 'Windows/System32/config/SYSTEM': hive });
      const whole = partition(2, path, C, C + 65_536);
      const at = Buffer.from(whole.bytes).indexOf(Buffer.from(hive.subarray(0, 4096)));
      for (let offset = 0; offset < 4096 + 600; offset++) {
        if (offset === 0x40) offset = 4096;
        const flipped = Uint8Array.of((whole.bytes[at + offset] ?? 0) ^ 0x55);
        const volume = patchedReader(whole.volume, at + offset, flipped);
        const hostile = { ...input, partitions: bootInput([{ ...whole, volume }]).partitions };
        try {
          for (const write of (await bootEdits(hostile, nothing)).writes) {
            expect(write.at).toBeGreaterThanOrEqual(at);
            expect(write.at + write.bytes.length).toBeLessThanOrEqual(at + hive.length);
          }
        } catch (error) {
          if (!isFamily(error, 'damaged') && !isFamily(error, 'unsupported') && !isFamily(error, 'refused'))
            throw error;
        }
      }
    });
  },
);

const FILES = corpus();

describe.skipIf(FILES === undefined || !rootJudge('mkntfs', 'ntfs-3g', 'hivexsh') || !judge('ntfsfix'))(
  'hives of real Windows on a disk that moves',
  () => {
    const real = (name: string): Uint8Array => {
      const bytes = readFileSync(join(FILES ?? '', 'hives', name));
      return name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
    };
    const SYSTEM = 'Windows/System32/config/SYSTEM';

    it('Windows 7: eight bytes of each value that names the volume, and no other', async () => {
      const path = ntfsWith(folder, 'win7', { [SYSTEM]: real('win7-SYSTEM-clean-mbr.gz') });
      const windows = partition(1, path, 2048, 4096);
      const edits = await bootEdits(bootInput([windows]), nothing);
      const after = applied(windows, edits);
      // 1048576 and 2097152 differ in one byte.
      expect(differences(path, after)).toHaveLength(edits.writes.length);
      expect(edits.writes).toHaveLength(2);
      const hive = extractFile(after, SYSTEM, join(folder, 'win7-SYSTEM'));
      for (const name of ['\\DosDevices\\C:', '\\??\\Volume{656b1715-ecf6-11df-92e6-806e6f6e6963}']) {
        expect(judgedValue(hive, ['MountedDevices'], name)).toEqual(
          Buffer.from(mountedVolume(SIGNATURE, 2097152)),
        );
      }
    });

    it('a real boot configuration: every record of the partition', async () => {
      const path = ntfsWith(folder, 'bcd', { 'Boot/BCD': real('win-BCD-mbr') });
      const windows = partition(1, path, 2048, 63);
      const edits = await bootEdits(bootInput([windows], { diskId: 'ddba6bbb' }), nothing);
      const after = applied(windows, edits);
      const hive = readFileSync(extractFile(after, 'Boot/BCD', join(folder, 'real-BCD')));
      const count = (bytes: Uint8Array, lba: number): number => {
        const wanted = Buffer.from(deviceElement(0xddba6bbb, lba * SECTOR)).subarray(16);
        let found = 0;
        for (
          let at = Buffer.from(bytes).indexOf(wanted);
          at >= 0;
          at = Buffer.from(bytes).indexOf(wanted, at + 1)
        )
          found++;
        return found;
      };
      expect(count(real('win-BCD-mbr'), 2048)).toBe(2);
      expect([count(hive, 2048), count(hive, 63)]).toEqual([0, 2]);
      expect(differences(real('win-BCD-mbr'), hive)).toHaveLength(2 * 2);
    });

    it('a dirty hive is refused with what to do, or left alone by name', async () => {
      const path = ntfsWith(folder, 'win81', { [SYSTEM]: real('win81-SYSTEM-dirty-mbr.gz') });
      const windows = [partition(1, path, 2048, 4096)];
      const input = bootInput(windows, { diskId: '273e4cfe' });
      await expect(bootEdits(input, nothing)).rejects.toMatchObject({
        code: 'regf-dirty',
        detail: { hint: expect.stringContaining('shutdown /s /f /t 0') },
      });
      expect((await bootEdits(input, new Set(['mounted-devices']))).writes).toEqual([]);
    });

    it('GPT: volumes are named by GUID, and stores locate them', async () => {
      const files = { [SYSTEM]: real('win10-SYSTEM-dirty-gpt.gz'), 'Boot/BCD': real('win10-BCD-gpt') };
      const windows = [partition(1, ntfsWith(folder, 'gpt', files), 2048, 4096)];
      const onGpt = await bootEdits(bootInput(windows, { table: 'gpt', diskId: '273e4cfe' }), nothing);
      expect(onGpt.writes).toEqual([]);
      const onMbr = bootInput(windows, { diskId: '273e4cfe' });
      // It names no volume of the disk, but what its logs name is not known.
      await expect(bootEdits(onMbr, nothing)).rejects.toMatchObject({ code: 'regf-dirty' });
      expect((await bootEdits(onMbr, new Set(['mounted-devices']))).writes).toEqual([]);
      const locate = { 'Boot/BCD': real('win-BCD-gpt-locate') };
      const edits = await bootEdits(
        bootInput([partition(1, ntfsWith(folder, 'loc', locate), 2048, 63)]),
        nothing,
      );
      expect(edits.writes).toEqual([]);
    });
  },
);
