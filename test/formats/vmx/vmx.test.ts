import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromByteString, toByteString } from '../../../src/codec/lines.js';
import { VmreclaimError } from '../../../src/core/errors.js';
import { editVmx, MAX_VMX_BYTES, parseVmsd, parseVmx, vmxRefusals } from '../../../src/formats/vmx/index.js';

const bytesOf = fromByteString;
const VMX = `.encoding = "UTF-8"
config.version = "8"
displayName = "Build |22server|22 |7C \xc3\xbc"
guestOS = "windows9-64"
# a comment
ctkEnabled = "TRUE"
scsi0.present = "TRUE"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "server.vmdk"
scsi0:0.ctkEnabled = "true"
SCSI0:1.FILENAME = "/vmfs/volumes/other/data.vmdk"
scsi0:1.sharing = "multi-writer"
scsi0:2.present = "FALSE"
scsi0:2.fileName = "gone.vmdk"
nvme0:0.fileName = "fast.vmdk"
nvme0:0.present = "TRUE"
sata0:0.present = "TRUE"
sata0:0.deviceType = "cdrom-image"
sata0:0.fileName = "odd.vmdk"
sata0:1.present = "TRUE"
sata0:1.fileName = "install.iso"
ide1:0.fileName = "old.vmdk"
checkpoint.vmState = ""
`;

describe('parseVmx', () => {
  it('reads name, guest and disks', () => {
    expect(parseVmx(bytesOf(VMX))).toEqual({
      displayName: 'Build "server" | ü',
      guestOs: 'windows9-64',
      disks: [
        { device: 'scsi0:0', fileName: 'server.vmdk', multiWriter: false },
        { device: 'scsi0:1', fileName: '/vmfs/volumes/other/data.vmdk', multiWriter: true },
        { device: 'nvme0:0', fileName: 'fast.vmdk', multiWriter: false },
        { device: 'ide1:0', fileName: 'old.vmdk', multiWriter: false },
      ],
      changeTracking: true,
      replicated: false,
      suspendedState: null,
    });
  });

  it('decodes by .encoding, also escaped bytes', () => {
    const text = '.encoding = "windows-1252"\ndisplayName = "k|FChl \xe4"\n';
    expect(parseVmx(bytesOf(text)).displayName).toBe('kühl ä');
  });

  it('does not hand out names with NUL', () => {
    expect(parseVmx(bytesOf('scsi0:0.fileName = "a|00b.vmdk"\n')).disks).toEqual([]);
  });

  it('calls a line that is no setting damaged, with its number', () => {
    const text = VMX.replace('guestOS = ', 'guestOS ');
    expect(() => parseVmx(bytesOf(text))).toThrow(
      expect.objectContaining({ family: 'damaged', message: expect.stringContaining('line 4') }),
    );
    expect(() => parseVmx(new Uint8Array(MAX_VMX_BYTES + 1))).toThrow(
      expect.objectContaining({ code: 'vmx-too-large' }),
    );
  });

  it.each([
    ['a replication filter', 'scsi0:0.filters = "hbr_filter"', 'replicated'],
    ['replication settings', 'hbr_filter.gid = "GID-1"', 'replicated'],
    ['a suspended state', 'checkpoint.vmState = "server-1a2b.vmss"', 'suspended'],
  ])('refuses %s', (_, line, code) => {
    const reasons = vmxRefusals(parseVmx(bytesOf(`${VMX}${line}\n`)));
    expect(reasons.map((reason) => reason.code)).toEqual([code]);
    expect(reasons[0]?.hint).toBeDefined();
  });

  it('has nothing against a machine at rest', () => {
    expect(vmxRefusals(parseVmx(bytesOf(VMX)))).toEqual([]);
  });
});

describe('editVmx', () => {
  it('switches change tracking off everywhere and leaves every other byte', () => {
    const odd = VMX.replaceAll('\n', '\r\n').replace('ctkEnabled = "TRUE"', '  CTKenabled=TRUE ');
    const expected = odd
      .replace('CTKenabled=TRUE ', 'CTKenabled=FALSE ')
      .replace('ctkEnabled = "true"', 'ctkEnabled = "FALSE"');
    expect(toByteString(editVmx(bytesOf(odd), { dropChangeTracking: true }))).toBe(expected);
    expect(parseVmx(bytesOf(expected)).changeTracking).toBe(false);
  });

  it('keeps a file that has none, and comments', () => {
    const text = 'displayName = "x"\n# ctkEnabled = "TRUE"\nctkEnabled = "FALSE"';
    expect(toByteString(editVmx(bytesOf(text), { dropChangeTracking: true }))).toBe(text);
  });
});

describe('parseVmsd', () => {
  it('counts snapshots and names their disks', () => {
    const text = `.encoding = "UTF-8"
snapshot.numSnapshots = "2"
snapshot0.disk0.fileName = "server.vmdk"
snapshot0.disk0.node = "scsi0:0"
snapshot1.disk0.fileName = "server-000001.vmdk"
`;
    expect(parseVmsd(bytesOf(text))).toEqual({
      snapshotCount: 2,
      diskFileNames: ['server.vmdk', 'server-000001.vmdk'],
    });
  });

  it('takes an empty list for none and nonsense for some', () => {
    expect(parseVmsd(bytesOf('')).snapshotCount).toBe(0);
    expect(parseVmsd(bytesOf('snapshot.numSnapshots = "0"')).snapshotCount).toBe(0);
    expect(parseVmsd(bytesOf('snapshot.numSnapshots = "x"')).snapshotCount).toBe(1);
  });
});

describe('hostile .vmx files', () => {
  const whole = bytesOf(VMX);
  const harmless = (bytes: Uint8Array): void => {
    for (const read of [
      parseVmx,
      parseVmsd,
      (text: Uint8Array) => editVmx(text, { dropChangeTracking: true }),
    ]) {
      try {
        read(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(VmreclaimError);
        expect((error as VmreclaimError).family).toBe('damaged');
      }
    }
  };

  it('cut at any length', () => {
    for (let length = 0; length < whole.length; length++) harmless(whole.subarray(0, length));
  });

  it('with flipped bytes', () => {
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const bytes = whole.slice();
        bytes[at] = value;
        harmless(bytes);
      }),
      { numRuns: 1000 },
    );
  });
});
