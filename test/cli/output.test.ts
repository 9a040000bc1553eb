import { existsSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { cleanUpFolders, VmFolder } from '../disk/vm-folder.js';
import { mbrDisk, shell, UNSAFE, vmreclaim } from './cli.js';

cleanUpFolders();

const COLOR = '\u001b[';

const DISK_KEYS = [
  'path',
  'createType',
  'sizeBytes',
  'allocatedBytes',
  'sectorSize',
  'table',
  'vm',
  'guest',
  'bootFixups',
  'state',
  'reasons',
  'partitions',
  'reclaimableBytes',
];
const PARTITION_KEYS = [
  'number',
  'kind',
  'type',
  'active',
  'startLba',
  'sectorCount',
  'startBytes',
  'sizeBytes',
  'alignmentBytes',
  'aligned',
  'filesystem',
];
const RUN_KEYS = [
  'formatVersion',
  'command',
  'disk',
  'runId',
  'status',
  'before',
  'after',
  'bytesCopied',
  'bytesWritten',
  'bytesDiscarded',
  'savedBytes',
  'seconds',
  'peakMemoryBytes',
  'verified',
  'fixups',
  'warnings',
];

describe('the JSON of scan', () => {
  it('has the promised keys and values', () => {
    const folder = new VmFolder();
    const disk = mbrDisk(folder, 'a');
    const { code, stdout, stderr } = vmreclaim(['scan', folder.path, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const document = JSON.parse(stdout);
    expect(Object.keys(document)).toEqual(['formatVersion', 'disks', 'datastores', 'totals', 'errors']);
    expect(Object.keys(document.disks[0])).toEqual(DISK_KEYS);
    expect(Object.keys(document.disks[0].partitions[0])).toEqual(PARTITION_KEYS);
    expect(document.disks[0]).toMatchObject({
      path: disk,
      createType: 'monolithicFlat',
      sizeBytes: 8 << 20,
      sectorSize: 512,
      table: 'mbr',
      vm: null,
      state: 'ready',
      reasons: [],
    });
    expect(document.disks[0].partitions).toEqual([
      {
        number: 1,
        kind: 'primary',
        type: '0x83',
        active: false,
        startLba: 63,
        sectorCount: 4096,
        startBytes: 32_256,
        sizeBytes: 2 << 20,
        alignmentBytes: 512,
        aligned: false,
        filesystem: null,
      },
      expect.objectContaining({ number: 3, startLba: 5001, aligned: false }),
    ]);
    expect(document.totals).toEqual({
      disks: 1,
      partitions: 2,
      misaligned: 2,
      sizeBytes: 8 << 20,
      usedBytes: 0,
      reclaimableBytes: expect.any(Number),
    });
  });

  it('tells what could not be looked at and goes on; the exit code says it too', () => {
    const folder = new VmFolder();
    mbrDisk(folder, 'a');
    folder.text('b.vmdk', '# Disk DescriptorFile\ngarbage');
    const { code, stdout } = vmreclaim(['scan', folder.path, '/nonexistent', '--json']);
    const document = JSON.parse(stdout);
    expect(document.disks).toHaveLength(1);
    expect(document.errors.map(({ path }: { path: string }) => path)).toEqual(
      ['/nonexistent', folder.at('b.vmdk')].sort(),
    );
    for (const error of document.errors) expect(Object.keys(error)).toEqual(['path', 'code', 'message']);
    expect(code).toBe(5);
  });

  it.each([
    ['misaligned', 63, 3],
    ['aligned', 2048, 0],
  ])('with --check exits by its findings: %s', (_, start, wanted) => {
    const folder = new VmFolder();
    mbrDisk(folder, 'a', [{ slot: 1, type: 0x83, start, count: 4096 }]);
    expect(vmreclaim(['scan', folder.path, '--check']).code).toBe(wanted);
    expect(vmreclaim(['scan', folder.path]).code).toBe(0);
  });
});

describe('the JSON of a run', () => {
  it('has the promised keys, for a dry run, a run, and one with nothing to do', () => {
    const folder = new VmFolder();
    const disk = mbrDisk(folder, 'a');
    const inode = statSync(folder.at('a-flat.vmdk')).ino;
    const before = readFileSync(folder.at('a-flat.vmdk'));
    const results = [
      vmreclaim(['align', disk, '--json', '--dry-run']),
      vmreclaim(['align', disk, '--json', '--yes']),
      vmreclaim(['align', disk, '--json', '--yes']),
    ];
    const documents = results.map(({ stdout }) => JSON.parse(stdout));
    expect(results.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ''],
      [0, ''],
      [0, ''],
    ]);
    for (const document of documents) {
      expect(Object.keys(document)).toEqual(RUN_KEYS);
      expect(Object.keys(document.before)).toEqual(['sizeBytes', 'partitions']);
      expect(document).toMatchObject({ formatVersion: 1, command: 'align', disk, verified: true });
    }
    expect(documents.map(({ status }) => status)).toEqual(['dry-run', 'done', 'nothing-to-do']);
    const starts = (layout: { partitions: { startLba: number }[] }) =>
      layout.partitions.map((p) => p.startLba);
    expect(documents.map(({ before: old, after }) => [starts(old), starts(after)])).toEqual([
      [
        [63, 5001],
        [128, 5120],
      ],
      [
        [63, 5001],
        [128, 5120],
      ],
      [
        [128, 5120],
        [128, 5120],
      ],
    ]);
    const now = readFileSync(folder.at('a-flat.vmdk'));
    for (const [from, to, count] of [
      [63, 128, 4096],
      [5001, 5120, 2048],
    ] as const) {
      const wanted = before.subarray(from * 512, (from + count) * 512);
      expect(now.subarray(to * 512, (to + count) * 512).equals(wanted)).toBe(true);
    }
    expect(statSync(folder.at('a-flat.vmdk')).ino).toBe(inode);
    expect(readdirSync(folder.path).sort()).toEqual(['a-flat.vmdk', 'a.vmdk']);
  });

  it('is alone on stdout while progress comes as JSON lines on stderr', () => {
    const disk = mbrDisk(new VmFolder(), 'a');
    const { code, stdout, stderr } = vmreclaim(['align', disk, '--yes', '--json', '--progress', 'json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).status).toBe('done');
    const events = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.length).toBeGreaterThan(2);
    for (const event of events) expect(event).toMatchObject({ event: 'progress', why: expect.any(String) });
  });

  it('is an error on stderr when the disk is refused', () => {
    const folder = new VmFolder();
    const disk = mbrDisk(folder, 'a', [{ slot: 1, type: 0x83, start: 63, count: 16_384 - 63 }]);
    const before = readFileSync(folder.at('a-flat.vmdk'));
    const { code, stdout, stderr } = vmreclaim(['align', disk, '--yes', '--json']);
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'no-room-at-end', family: 'refused', hint: expect.stringContaining('--grow') },
    });
    expect(readFileSync(folder.at('a-flat.vmdk')).equals(before)).toBe(true);
  });
});

describe('a plan', () => {
  it('that was saved is carried out, once', () => {
    const folder = new VmFolder();
    const disk = mbrDisk(folder, 'a');
    const file = folder.at('plan.json');
    const saved = vmreclaim(['plan', disk, '--json', '-o', file]);
    expect(saved).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ formatVersion: 1, status: 'change' });
    const moved = vmreclaim(['move-extents', disk, '--plan', file, '--yes', '--json']);
    expect(JSON.parse(moved.stdout)).toMatchObject({ command: 'move-extents', status: 'done' });
    const again = vmreclaim(['move-extents', disk, '--plan', file, '--yes', '--json']);
    expect(again.code).toBe(7);
    expect(JSON.parse(again.stderr)).toMatchObject({
      error: { code: 'changed-since-plan', family: 'conflict' },
    });
  });
});

describe('-o', () => {
  it('that cannot be written is an error of the store, not a bug', () => {
    const folder = new VmFolder();
    mbrDisk(folder, 'a');
    for (const target of ['/nonexistent/x', folder.path, '/dev/full']) {
      const { code, stderr } = vmreclaim(['scan', folder.path, '--json', '-o', target]);
      expect(code).toBe(6);
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'output', family: 'device' } });
    }
    expect(shell(`$V scan ${folder.path} > /dev/full`).code).toBe(6);
  });

  it('- is stdout', () => {
    const folder = new VmFolder();
    mbrDisk(folder, 'a');
    expect(vmreclaim(['scan', folder.path, '-o', '-']).stdout).toContain('2 misaligned');
  });
});

describe('colours', () => {
  let folder: VmFolder;
  const scan = (args: string[], env: NodeJS.ProcessEnv) =>
    vmreclaim(['scan', folder.path, ...args], { env }).stdout.includes(COLOR);

  it.each<[boolean, string[], NodeJS.ProcessEnv]>([
    [false, [], {}],
    [true, [], { FORCE_COLOR: '1' }],
    [false, [], { FORCE_COLOR: '0' }],
    [false, [], { FORCE_COLOR: '1', NO_COLOR: '1' }],
    [true, [], { FORCE_COLOR: '1', NO_COLOR: '' }],
    [false, ['--no-color'], { FORCE_COLOR: '1' }],
    [false, ['--json'], { FORCE_COLOR: '1' }],
  ])('%s for %j with %j', (wanted, args, env) => {
    folder = new VmFolder();
    mbrDisk(folder, 'a');
    expect(scan(args, env)).toBe(wanted);
  });
});

describe('a pipe that closes early', () => {
  it('is no error', () => {
    const folder = new VmFolder();
    for (let i = 0; i < 40; i++) folder.image(`${'long-name-'.repeat(15)}${i}.raw`, 4096);
    for (const line of [
      `$V scan ${folder.path} --details | head -1`,
      `$V scan ${folder.path} --json | head -c 1`,
    ]) {
      const { code, stderr } = shell(line);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    }
    expect(shell(`$V scan ${folder.path} --progress plain 2>&1 >/dev/null | head -1`).code).toBe(0);
  });

  it('does not stop a run in flight, nor does a full disk behind the log', () => {
    for (const log of ['2> /dev/full', '2> >(head -c 1 > /dev/null)']) {
      const folder = new VmFolder();
      const disk = mbrDisk(folder, 'a');
      const { code, stdout } = shell(`$V align ${disk} --yes --json --progress plain ${log}`);
      expect(code).toBe(0);
      expect(JSON.parse(stdout).status).toBe('done');
    }
  });
});

describe('names from outside', () => {
  const hostile = 'a\u001b[31mred\u001b]0;title\u0007\u202e\u009b2J\ttab';
  let folder: VmFolder;
  beforeAll(() => {
    folder = new VmFolder();
  });

  it('never reach a terminal as they are', () => {
    const base = new VmFolder();
    const disk = mbrDisk(base, 'a');
    renameSync(disk, base.at(`${hostile}.vmdk`));
    base.vmx(`${hostile}.vmx`, [
      `displayName = "evil\u001b[2J"`,
      'scsi0:0.present = "TRUE"',
      `scsi0:0.fileName = "${hostile}.vmdk"`,
    ]);
    const path = base.at(`${hostile}.vmdk`);
    for (const args of [
      ['scan', base.path, '--details', '--progress', 'plain'],
      ['scan', base.path, '--json', '--progress', 'json'],
      ['plan', path],
      ['align', path],
      ['align', path, '--dry-run', '--json'],
      ['align', path, '--yes', '--progress', 'plain'],
      ['align', `${path}-missing`, '--yes'],
      ['resume', path],
      ['abandon', path],
    ]) {
      const { stdout, stderr } = vmreclaim(args);
      expect(stdout + stderr).not.toMatch(UNSAFE);
      expect(stdout + stderr).not.toBe('');
    }
    expect(existsSync(path)).toBe(true);
  });

  it('stay whole in JSON', () => {
    const path = folder.image(`${hostile}.raw`, 1 << 20);
    const { stdout } = vmreclaim(['scan', path, '--json']);
    expect(JSON.parse(stdout).disks[0].path).toBe(path);
  });
});
