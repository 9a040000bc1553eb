import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where the Debian package of a judge is named, so that a skip can say what to install. */
const PACKAGE_OF: Readonly<Record<string, string>> = {
  mkntfs: 'ntfs-3g',
  ntfsresize: 'ntfs-3g',
  ntfsfix: 'ntfs-3g',
  'ntfs-3g': 'ntfs-3g',
  'ntfs-3g.probe': 'ntfs-3g',
  ntfsinfo: 'ntfs-3g',
  ntfscp: 'ntfs-3g',
  sfdisk: 'fdisk',
  sgdisk: 'gdisk',
  mke2fs: 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  debugfs: 'e2fsprogs',
  filefrag: 'e2fsprogs',
  'qemu-img': 'qemu-utils',
  'qemu-io': 'qemu-utils',
  getfattr: 'attr',
  setfattr: 'attr',
  'mkfs.fat': 'dosfstools',
  'fsck.fat': 'dosfstools',
  chromium: 'chromium',
  crontab: 'cron',
  man: 'man-db',
  'systemd-analyze': 'systemd',
  'mkfs.exfat': 'exfatprogs',
  'fsck.exfat': 'exfatprogs',
  'mkfs.xfs': 'xfsprogs',
  'mkfs.btrfs': 'btrfs-progs',
  mkswap: 'util-linux',
  fallocate: 'util-linux',
  script: 'bsdutils',
  blkid: 'util-linux',
  dumpe2fs: 'e2fsprogs',
  resize2fs: 'e2fsprogs',
  nbdfuse: 'libnbd-bin',
  nbdinfo: 'libnbd-bin',
  nbdcopy: 'libnbd-bin',
  fusermount3: 'fuse3',
  setpriv: 'util-linux',
  cryptsetup: 'cryptsetup-bin',
  ntfscat: 'ntfs-3g',
  ntfslabel: 'ntfs-3g',
  ntfscluster: 'ntfs-3g',
  hivexsh: 'libhivex-bin',
  hivexml: 'libhivex-bin',
  mcopy: 'mtools',
  'qemu-system-x86_64': 'qemu-system-x86',
  sshd: 'openssh-server',
  'ssh-keygen': 'openssh-client',
  sftp: 'openssh-client',
  python3: 'python3-minimal',
  'grub-mkimage': 'grub-pc-bin grub2-common',
};

const SEARCH_PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
const required = process.env.VMRECLAIM_REQUIRE_JUDGES === '1';
const known = new Map<string, boolean>();

function isThere(tool: string): boolean {
  const cached = known.get(tool);
  if (cached !== undefined) return cached;
  const found = SEARCH_PATH.split(':').some((folder) => folder !== '' && existsSync(`${folder}/${tool}`));
  known.set(tool, found);
  return found;
}

/**
 * True when every named outside tool is installed. A missing one is named on stderr and the caller skips;
 * with VMRECLAIM_REQUIRE_JUDGES=1 it is an error, so that CI cannot pass by skipping.
 */
export function judge(...tools: string[]): boolean {
  const missing = tools.filter((tool) => !isThere(tool));
  if (missing.length === 0) return true;
  const names = missing.map((tool) => `${tool} (package ${PACKAGE_OF[tool] ?? tool})`).join(', ');
  if (required) throw new Error(`judge missing: ${names}`);
  process.stderr.write(`skipped, judge missing: ${names}\n`);
  return false;
}

/** Like judge, for tests that mount or use loop devices: needs root. */
export function rootJudge(...tools: string[]): boolean {
  if (process.getuid?.() === 0) return judge(...tools);
  if (required) throw new Error('judge missing: root, for mounts');
  process.stderr.write('skipped: needs root for mounts\n');
  return false;
}

/** Runs a judge and returns its output; throws with all output when the exit code is not as expected. */
export function run(
  tool: string,
  args: readonly string[],
  options: { code?: number; input?: string } = {},
): string {
  const result = spawnSync(tool, args, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    env: { ...process.env, PATH: SEARCH_PATH, LC_ALL: 'C' },
    // Nothing to read is /dev/null, and no socket: on one, bash may take itself for a remote shell and read its start-up files,
    // and what these say gets among the answers.
    ...(options.input === undefined ? { stdio: ['ignore', 'pipe', 'pipe'] } : { input: options.input }),
  });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`;
  if (result.error) throw result.error;
  if (result.status !== (options.code ?? 0)) {
    throw new Error(`${tool} ${args.join(' ')} exited ${result.status ?? result.signal}:\n${output}`);
  }
  return output;
}

const CORPUS = fileURLToPath(new URL('../../../shared/corpus/', import.meta.url));

/** The folder of real disks that lies beside the project on the developers' machines, or undefined. */
export function corpus(): string | undefined {
  if (existsSync(CORPUS)) return CORPUS;
  process.stderr.write('skipped: the corpus of real disks is not here\n');
  return undefined;
}
