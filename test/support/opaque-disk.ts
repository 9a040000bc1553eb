import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The descriptor of x-flat.vmdk with a content id. */
export const opaqueDescriptor = (sectors: number, cid = '12345678', name = 'x'): string =>
  `# Disk DescriptorFile\nversion=1\nCID=${cid}\nparentCID=ffffffff\ncreateType="vmfs"\n` +
  `RW ${sectors} VMFS "${name}-flat.vmdk"\n`;

/** Writes x.vmdk and x-flat.vmdk (or another name): an MBR disk with one partition that nobody recognises, 4000 sectors at LBA 63. */
export function writeOpaqueDisk(folder: string, sectors: number, name = 'x'): void {
  const bytes = Buffer.alloc(sectors * 512);
  bytes.fill('data', 63 * 512, 4063 * 512);
  bytes.writeUInt8(0xda, 446 + 4);
  bytes.writeUInt32LE(63, 446 + 8);
  bytes.writeUInt32LE(4000, 446 + 12);
  bytes.writeUInt16LE(0xaa55, 510);
  writeFileSync(join(folder, `${name}-flat.vmdk`), bytes);
  writeFileSync(join(folder, `${name}.vmdk`), opaqueDescriptor(sectors, undefined, name));
}
