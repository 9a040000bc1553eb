import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VmreclaimError } from '../../../src/core/errors.js';
import {
  isDescriptor,
  isFlat,
  MAX_DESCRIPTOR_BYTES,
  parseDescriptor,
  parseEmbeddedDescriptor,
  parseHostedSparseHeader,
  sparseKind,
  writeRefusals,
} from '../../../src/formats/vmdk/index.js';
import { corpus } from '../../support/judges.js';
import { bytesOf, descriptorText, ESXI, HOSTED } from './samples.js';

const parse = (text: string) => parseDescriptor(bytesOf(text));
const codes = (text: string) => writeRefusals(parse(text)).map(({ code }) => code);

function failure(work: () => unknown): VmreclaimError {
  try {
    work();
  } catch (error) {
    if (error instanceof VmreclaimError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('isDescriptor', () => {
  it.each([
    ['plain', '# Disk DescriptorFile\nversion=1\n'],
    ['with a byte order mark', '\xef\xbb\xbf# Disk DescriptorFile\n'],
    ['with CRLF and blank lines', '\r\n  \r\n# disk descriptorfile\r\n'],
    ['with other comments first', '# made by hand\nversion=1\n'],
  ])('knows one %s', (_, text) => {
    expect(isDescriptor(bytesOf(text))).toBe(true);
  });

  it.each([
    ['a boot sector', '\xeb\x52\x90NTFS    '],
    ['a sparse disk', 'KDMV\x01\0\0\0'],
    ['another text', '#!/usr/bin/vmware\n.encoding = "UTF-8"\n'],
    ['nothing', ''],
    ['zeros', '\0'.repeat(512)],
    ['a comment with binary after it', '#\0\0\0\nversion=1'],
  ])('does not take %s for one', (_, text) => {
    expect(isDescriptor(bytesOf(text))).toBe(false);
  });
});

describe('parseDescriptor', () => {
  it('reads what ESXi writes', () => {
    expect(parse(ESXI)).toMatchObject({
      createType: 'vmfs',
      version: 1,
      encoding: 'UTF-8',
      cid: '0172e8a4',
      parentCid: 'ffffffff',
      parentFileNameHint: null,
      longContentId: 'c493b057f416b9534001df440172e8a4',
      extents: [
        {
          access: 'RW',
          sectors: 4096,
          type: 'VMFS',
          fileName: 'x-flat.vmdk',
          offsetSectors: 0,
          lineIndex: 8,
        },
      ],
      geometry: { cylinders: 2, heads: 64, sectors: 32 },
      biosGeometry: null,
      adapterType: 'lsilogic',
      changeTrackPath: null,
      encrypted: false,
    });
  });

  it('reads keys in any case, CRLF, spaces, a byte order mark and short CIDs', () => {
    const text = `\xef\xbb\xbf${HOSTED}`.replaceAll('\n', '\r\n').replace(/CID=\w+/, 'cid = 1a2b');
    const parsed = parse(text.replace('createType', 'CREATETYPE'));
    expect(parsed.cid).toBe('00001a2b');
    expect(parsed.createType).toBe('monolithicFlat');
    expect(parsed.extents[0]?.fileName).toBe('x-flat.vmdk');
  });

  it('keeps # and spaces inside quotes', () => {
    expect(parse(HOSTED.replace('x-flat', 'my #1 disk-flat')).extents[0]?.fileName).toBe(
      'my #1 disk-flat.vmdk',
    );
  });

  it('decodes names by the encoding, and offers UTF-8 where that reads differently', () => {
    const named = (encoding: string, name: string) =>
      parse(ESXI.replace('UTF-8', encoding).replace('x-flat', name)).extents[0];
    expect(named('windows-1252', 'k\xfche')?.fileName).toBe('kühe.vmdk');
    expect(named('GBK', '\xd6\xd0\xb9\xfa')?.fileName).toBe('中国.vmdk');
    expect(named('Shift_JIS', '\x93\xfa\x95\x5c')?.fileName).toBe('日表.vmdk');
    const lying = named('windows-1252', '\xc3\xbc');
    expect(lying).toMatchObject({ fileName: 'Ã¼.vmdk', alternateFileName: 'ü.vmdk' });
    expect(named('no such set', '\xc3\xbc')).toMatchObject({ fileName: 'ü.vmdk', alternateFileName: null });
  });

  it.each([
    ['an extent that lost a letter', HOSTED.replace('RW 20480', 'QW 20480'), 'line 8'],
    ['an extent without a size', HOSTED.replace('RW 20480', 'RW lots'), 'line 8'],
    ['an extent of no sectors', HOSTED.replace('20480', '0'), 'line 8'],
    ['an extent beyond any disk', HOSTED.replace('20480', '9'.repeat(16)), 'line 8'],
    ['an open quote', HOSTED.replace('flat.vmdk"', 'flat.vmdk'), 'line 8'],
    ['a NUL in a name', HOSTED.replace('x-flat', 'x\0flat'), 'line 8'],
    ['a CID that is no number', HOSTED.replace(/CID=\w+/, 'CID=xyz'), 'line 3'],
    ['two different CIDs', `${HOSTED}CID=12345678\n`, 'again'],
    ['cylinders that are no number', HOSTED.replace('"301"', '"many"'), 'line 15'],
    ['no CID', HOSTED.replace(/^CID=.*\n/m, ''), 'no CID'],
    ['no parentCID', HOSTED.replace(/^parentCID=.*\n/m, ''), 'no parentCID'],
    ['no createType', HOSTED.replace(/^createType=.*\n/m, ''), 'no createType'],
    ['no extent', HOSTED.replace(/^RW.*\n/m, ''), 'no extent'],
    ['too much text', HOSTED + '#\n'.repeat(MAX_DESCRIPTOR_BYTES / 2), 'too large'],
  ])('calls %s damaged', (_, text, message) => {
    const error = failure(() => parse(text));
    expect(error.family).toBe('damaged');
    expect(error.message).toContain(message);
  });

  it('does not repeat control characters of a bad line', () => {
    const error = failure(() => parse(HOSTED.replace('RW 20480', '\x1b[31mQW 1')));
    expect(error.detail.actual).toBe('QW 1 FLAT "x-flat.vmdk" 0');
  });

  it('takes a geometry with zeros for none: it would be divided by', () => {
    expect(parse(HOSTED.replace('heads = "4"', 'heads = "0"')).geometry).toBeNull();
  });
});

describe('hostile descriptors', () => {
  const whole = bytesOf(descriptorText({ changeTracking: true, bios: true }));
  const harmless = (bytes: Uint8Array): void => {
    isDescriptor(bytes);
    try {
      writeRefusals(parseDescriptor(bytes));
    } catch (error) {
      expect(error).toBeInstanceOf(VmreclaimError);
      expect((error as VmreclaimError).family).toBe('damaged');
    }
  };

  it('cut at any length: damaged or a value', () => {
    for (let length = 0; length < whole.length; length++) harmless(whole.subarray(0, length));
  });

  it('with flipped bytes: damaged or a value', () => {
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length - 1), (at, value, second) => {
        const bytes = whole.slice();
        bytes[at] = value;
        bytes[second] = value ^ 0x20;
        harmless(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('with any text at all', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => harmless(bytes)));
  });

  it('reads a long hostile line in time that does not explode', () => {
    const started = performance.now();
    for (const filler of [' ', '=', '"', 'a', '\t=', '-000001']) {
      harmless(bytesOf(`# Disk DescriptorFile\nRW 1 FLAT ${filler.repeat(60_000 / filler.length)}\n`));
      harmless(bytesOf(`# Disk DescriptorFile\nkey${filler.repeat(60_000 / filler.length)}x\n`));
    }
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('writeRefusals', () => {
  it('has nothing against plain flat disks', () => {
    expect(codes(ESXI)).toEqual([]);
    expect(codes(HOSTED)).toEqual([]);
    expect(codes(HOSTED.replace('monolithicFlat', 'twoGbMaxExtentFlat'))).toEqual([]);
  });

  it.each([
    'monolithicSparse',
    'twoGbMaxExtentSparse',
    'streamOptimized',
    'vmfsSparse',
    'seSparse',
    'vsanSparse',
    'fullDevice',
    'partitionedDevice',
    'vmfsRaw',
    'vmfsRawDeviceMap',
    'vmfsPassthroughRawDeviceMap',
    'custom',
    'somethingNew',
    'constructor',
  ])('refuses createType %s by its name, with a remedy', (createType) => {
    const descriptor = parse(HOSTED.replace('monolithicFlat', createType));
    const [reason] = writeRefusals(descriptor);
    expect(reason?.code).toBe('create-type');
    expect(reason?.message).toContain(createType);
    expect(reason?.hint).toMatch(/vmkfstools|Consolidate|tools of that storage/);
    expect(isFlat(descriptor)).toBe(false);
  });

  it.each([
    ['a parent', ESXI.replace('parentCID=ffffffff', 'parentCID=0172e8a4'), 'linked-child'],
    ['a parent by name only', `${ESXI}parentFileNameHint="y.vmdk"\n`, 'linked-child'],
    ['encryption', `${ESXI}encryption.keySafe = "vmware:key/list/(pair/(null))"\n`, 'encrypted'],
    ['encrypted data', `${ESXI}ddb.encryptionData = "x"\n`, 'encrypted'],
    ['an I/O filter', `${ESXI}ddb.iofilters = "vmwarelwd"\n`, 'io-filter'],
    ['a sidecar', `${ESXI}ddb.sidecars = "x_1-abc.vmfd,;"\n`, 'io-filter'],
    ['vSAN', ESXI.replace('x-flat.vmdk', 'vsan://1234'), 'object-store'],
    ['vVols', ESXI.replace('x-flat.vmdk', 'vvol://1234'), 'object-store'],
    ['a raw device mapping extent', ESXI.replace(' VMFS ', ' VMFSRDM '), 'extent-type'],
    ['a zero extent', HOSTED.replace('FLAT "x-flat.vmdk" 0', 'ZERO'), 'extent-type'],
    ['a read-only extent', HOSTED.replace('RW 20480', 'RDONLY 20480'), 'extent-access'],
    ['an extent inside its file', HOSTED.replace('vmdk" 0', 'vmdk" 63'), 'extent-offset'],
    ['an unknown version', HOSTED.replace('version=1', 'version=4'), 'descriptor-version'],
  ])('refuses %s', (_, text, code) => {
    expect(codes(text)).toEqual([code]);
  });

  it('does not refuse change tracking, which can be dropped', () => {
    expect(codes(descriptorText({ changeTracking: true }))).toEqual([]);
  });
});

const folder = corpus();
describe.skipIf(folder === undefined)('the corpus', () => {
  const read = (name: string) => {
    const bytes = readFileSync(join(folder ?? '', 'vmdk', name));
    return name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
  };

  it.each([
    ['monolithicFlat.vmdk', 'monolithicFlat', []],
    ['twoGbMaxExtentFlat.vmdk', 'twoGbMaxExtentFlat', []],
    ['vmfs_thick.vmdk', 'vmfs', []],
    ['twoGbMaxExtentSparse.vmdk', 'twoGbMaxExtentSparse', ['create-type', 'extent-type']],
    ['vmfs_thick-000001.vmdk', 'vmfsSparse', ['create-type', 'linked-child', 'extent-type']],
  ])('%s', (name, createType, refusals) => {
    const bytes = read(name);
    expect(isDescriptor(bytes)).toBe(true);
    const descriptor = parseDescriptor(bytes);
    expect(descriptor.createType).toBe(createType);
    expect(writeRefusals(descriptor).map(({ code }) => code)).toEqual(refusals);
    expect(isFlat(descriptor)).toBe(refusals.length === 0);
  });

  it.each([
    ['monolithicSparse.vmdk.gz', 'monolithicSparse'],
    ['streamOptimized.vmdk.gz', 'streamOptimized'],
  ])('%s is known by its header and embedded descriptor', (name, createType) => {
    const bytes = read(name);
    expect(isDescriptor(bytes)).toBe(false);
    expect(sparseKind(bytes)).toBe('hosted sparse (KDMV)');
    const { capacitySectors, descriptorAt } = parseHostedSparseHeader(bytes);
    expect(capacitySectors).toBe(20480);
    const { at, length } = descriptorAt ?? { at: 0, length: 0 };
    expect(parseEmbeddedDescriptor(bytes.subarray(at, at + length)).createType).toBe(createType);
  });

  it('flat extents are neither descriptors nor sparse', () => {
    for (const name of [
      'monolithicFlat-flat.vmdk.gz',
      'vmfs_thick-flat.vmdk.gz',
      'twoGbMaxExtentFlat-f001.vmdk.gz',
    ]) {
      const head = read(name).subarray(0, 512);
      expect([isDescriptor(head), sparseKind(head)]).toEqual([false, undefined]);
    }
  });
});

describe('sparse headers', () => {
  it('names the other sparse forms', () => {
    expect(sparseKind(bytesOf('COWD\x01\0\0\0'))).toBe('ESX sparse (COWD)');
    expect(sparseKind(bytesOf('\xbe\xba\xfe\xca\0\0\0\0'))).toBe('SESparse');
    expect(sparseKind(bytesOf('KDM'))).toBeUndefined();
  });

  it('calls a header damaged that is cut off or names a huge descriptor', () => {
    expect(failure(() => parseHostedSparseHeader(bytesOf('KDMV'))).family).toBe('damaged');
    const huge = new Uint8Array(512);
    new DataView(huge.buffer).setBigUint64(28, 1n, true);
    new DataView(huge.buffer).setBigUint64(36, 2n ** 40n, true);
    expect(failure(() => parseHostedSparseHeader(huge)).code).toBe('sparse-header');
  });
});
