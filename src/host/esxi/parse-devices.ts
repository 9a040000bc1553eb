/** A disk of a machine, as the host has it in memory. */
export interface AttachedDisk {
  /** `[datastore] folder/x.vmdk`. */
  readonly fileName: string;
  /** Of the controller: 1000 to 1003 are SCSI. */
  readonly controllerKey: number;
  readonly unitNumber: number;
  readonly capacityBytes: number;
}

const DISK = '(vim.vm.device.VirtualDisk) {';

/**
 * The disks of `vmsvc/device.getdevices`; undefined when it is not understood. The answer is an indented tree: keys of a disk
 * stand one step deeper than its heading, and its block ends at the next line that does not.
 */
export function parseDisks(output: string): AttachedDisk[] | undefined {
  const lines = output.split('\n');
  const disks: AttachedDisk[] = [];
  for (const [index, line] of lines.entries()) {
    if (!line.trim().startsWith(DISK)) continue;
    const disk = diskOf(blockBelow(lines, index));
    if (disk === undefined) return undefined;
    disks.push(disk);
  }
  return /\(vim\.vm\.device\.\w+\)/.test(output) ? disks : undefined;
}

const indentOf = (line: string): number => line.length - line.trimStart().length;

function blockBelow(lines: readonly string[], heading: number): string[] {
  const depth = indentOf(lines[heading] ?? '');
  const rest = lines.slice(heading + 1);
  const end = rest.findIndex((line) => line.trim() !== '' && indentOf(line) <= depth);
  return rest.slice(0, end === -1 ? rest.length : end);
}

function diskOf(block: readonly string[]): AttachedDisk | undefined {
  const depth = indentOf(block[0] ?? '');
  const own = block.filter((line) => indentOf(line) === depth);
  const controllerKey = numberOf(own, 'controllerKey');
  const unitNumber = numberOf(own, 'unitNumber');
  const kib = numberOf(own, 'capacityInKB');
  // The first one is that of the disk; a parent's, of a snapshot, stands deeper.
  const fileName = block.flatMap((line) => /^\s*fileName = "(.*)",?\s*$/.exec(line)?.[1] ?? [])[0];
  if (controllerKey === undefined || unitNumber === undefined || kib === undefined || fileName === undefined)
    return undefined;
  return { fileName, controllerKey, unitNumber, capacityBytes: kib * 1024 };
}

/** The value of `key = 123,`; undefined when it is not there exactly once. */
function numberOf(lines: readonly string[], key: string): number | undefined {
  const pattern = new RegExp(`^\\s*${key} = (\\d{1,15}),?\\s*$`);
  const [value, ...more] = lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
  return value === undefined || more.length > 0 ? undefined : Number(value);
}
