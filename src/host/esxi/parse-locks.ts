/** What VMFS knows of the lock of a file. Owners are MAC addresses of hosts, as far as they are told. */
export interface FileLock {
  readonly state: 'free' | 'held' | 'unknown';
  readonly owners: readonly string[];
}

const NOBODY: FileLock = { state: 'free', owners: [] };
const UNKNOWN: FileLock = { state: 'unknown', owners: [] };
/** Mode 0: nobody has it open (1 exclusive, 2 read-only, 3 multi-writer). */
const FREE_MODE = '0';
const OWNER = /[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f]{12})/;

/**
 * The answer of `vmkfstools -D`: the line `Lock [... mode 0, owner 00000000-00000000-0000-000000000000 ...]`, and a line `RO Owner`
 * for each reader. The last twelve digits of an owner are a MAC address of its host. Old releases print it to the
 * kernel's log: no answer is `unknown`.
 */
export function parseLockDump(output: string): FileLock {
  const modes = [...output.matchAll(/\bmode (\d+), owner ([0-9a-f-]+)/g)];
  const [, mode, owner = ''] = modes[0] ?? [];
  const [, mac] = OWNER.exec(owner) ?? [];
  if (modes.length !== 1 || mac === undefined || !/Lock \[/.test(output)) return UNKNOWN;
  const readers = output
    .split('\n')
    .filter((line) => line.includes('RO Owner'))
    .map((line) => OWNER.exec(line)?.[1] ?? '');
  const owners = [mac, ...readers].filter((each) => !/^0*$/.test(each)).map(macAddress);
  if (mode === FREE_MODE && owners.length === 0) return NOBODY;
  return { state: 'held', owners: [...new Set(owners)] };
}

const macAddress = (digits: string): string => digits.match(/../g)?.join(':') ?? digits;

/** The answer of `vmfsfilelockinfo -p`: a sentence. */
export function parseLockInfo(output: string): FileLock {
  const free = /not locked by any ESX host/.test(output);
  const held = /is locked in [\w-]+ mode by host having mac address/i.test(output);
  if (free === held) return UNKNOWN;
  if (free) return NOBODY;
  const owners = [...output.matchAll(/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi)].map(([mac]) =>
    mac.toLowerCase(),
  );
  return { state: 'held', owners: [...new Set(owners)] };
}
