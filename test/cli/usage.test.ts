import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cleanUpFolders, VmFolder } from '../disk/vm-folder.js';
import { mbrDisk, shell, UNSAFE, vmreclaim } from './cli.js';

cleanUpFolders();

/** Lines that only a stack trace has. */
const STACK = /^\s+at .*\(?(file:|node:|\/).*:\d+:\d+\)?$/m;

describe('a command line that makes no sense', () => {
  it.each<[string, string[], RegExp]>([
    ['no command', [], /a command is missing/],
    ['an unknown command', ['scna', '.'], /unknown command 'scna' \(Did you mean scan\?\)/],
    ['an unknown option', ['scan', '.', '--jsno'], /unknown option '--jsno'[\s\S]*--json/],
    ['no target', ['scan'], /missing required argument 'target'/],
    ['two disks', ['align', 'a.vmdk', 'b.vmdk'], /too many arguments/],
    ['a size that is none', ['plan', 'x.vmdk', '--disk-size', '10GB'], /"10GB" is not a size/],
    ['a boundary of 3K', ['plan', 'x.vmdk', '--boundary', '3K'], /power of two from 4K to 16M/],
    ['a boundary of 32M', ['plan', 'x.vmdk', '--boundary', '32M'], /power of two from 4K to 16M/],
    ['partition 0', ['align', 'x.vmdk', '--partition', '0'], /Partition numbers/],
    ['a list with a hole', ['align', 'x.vmdk', '--do-not-align', '1,,2'], /Partition numbers/],
    ['a target without LBA', ['move-extents', 'x.vmdk', '--to', '1'], /1=2048/],
    ['a partition with two targets', ['move-extents', 'x', '--to', '1=64', '--to', '1=128'], /two targets/],
    ['no place to move to', ['move-extents', 'x.vmdk'], /--plan FILE or --to/],
    ['two sorts of places', ['move-extents', 'x', '--to', '1=64', '--plan', 'p'], /--plan FILE or --to/],
    ['a plan that is not there', ['move-extents', 'x', '--plan', '/nonexistent'], /cannot be read/],
    ['an order that is none', ['scan', '.', '--sort', 'colour'], /cannot sort by colour/],
    ['progress of a kind that is none', ['scan', '.', '--progress', 'loud'], /auto, bar, plain, json, none/],
    ['a disk that is not there', ['align', '/nonexistent.vmdk', '--yes'], /nonexistent/],
  ])('says so and exits with 2: %s', (_, args, message) => {
    const { code, stdout, stderr } = vmreclaim(args);
    expect(stderr.replaceAll(/\n\s+/g, ' ')).toMatch(message);
    expect(stderr).not.toMatch(STACK);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  it('is a JSON object on stderr with --json, wherever that stands', () => {
    for (const args of [
      ['--json'],
      ['frobnicate', '--json'],
      ['plan', '--json', '/nonexistent.vmdk'],
      ['plan', '/x', '--boundary', '3K', '--json'],
    ]) {
      const { code, stdout, stderr } = vmreclaim(args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(JSON.parse(stderr)).toEqual({
        error: expect.objectContaining({
          family: 'usage',
          code: expect.any(String),
          message: expect.any(String),
        }),
      });
    }
  });

  it('shows nothing of itself that could act on a terminal', () => {
    const hostile = 'x\u001b[31m\u009b2J\u202ey';
    for (const args of [[hostile], ['scan', hostile], ['plan', hostile], ['scan', '.', `--${hostile}`]]) {
      const { stdout, stderr } = vmreclaim(args);
      expect(stdout + stderr).not.toMatch(UNSAFE);
    }
  });

  it('does not need a working stderr', () => {
    expect(shell('$V frobnicate 2> /dev/full').code).toBe(2);
  });
});

describe('help', () => {
  it('is on stdout and names every command', () => {
    const { code, stdout, stderr } = vmreclaim(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const command of ['scan', 'plan', 'align', 'move-extents', 'resume', 'abandon'])
      expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
  });

  it('of a command names its options', () => {
    const { code, stdout } = vmreclaim(['align', '--help']);
    expect(code).toBe(0);
    for (const option of ['--yes', '--dry-run', '--json', '--boundary', '--cylinders', '--do-not-align'])
      expect(stdout).toContain(option);
  });

  it('of the version is the one in package.json', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(vmreclaim(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe('a saved plan that is none', () => {
  it.each([
    ['no JSON', '{', /not JSON/],
    ['another document', '{"formatVersion":1,"disks":[]}', /is not a plan: disk/],
    ['a list', '[]', /is not a plan/],
    ['another version', '{"formatVersion":2}', /formatVersion/],
  ])('is a usage error: %s', (_, text, message) => {
    const folder = new VmFolder();
    const disk = mbrDisk(folder, 'a');
    const { code, stderr } = vmreclaim([
      'move-extents',
      disk,
      '--yes',
      '--plan',
      folder.text('plan.json', text),
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

describe('a change without a terminal and without --yes', () => {
  it('is refused with 2 behind the plan, and changes nothing', () => {
    const folder = new VmFolder();
    const disk = mbrDisk(folder, 'a');
    const before = readFileSync(folder.at('a-flat.vmdk'));
    const { code, stdout, stderr } = vmreclaim(['align', disk]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/partition 1 moves right/);
    expect(stderr).toMatch(/\[no-terminal\][\s\S]*--yes/);
    expect(readFileSync(folder.at('a-flat.vmdk')).equals(before)).toBe(true);
    expect(readdirSync(folder.path).sort()).toEqual(['a-flat.vmdk', 'a.vmdk']);
  });

  it('cannot be answered by a pipe', () => {
    const folder = new VmFolder();
    const disk = mbrDisk(folder, 'a');
    const before = readFileSync(folder.at('a-flat.vmdk'));
    expect(vmreclaim(['align', disk], { input: 'y\n' }).code).toBe(2);
    expect(readFileSync(folder.at('a-flat.vmdk')).equals(before)).toBe(true);
  });

  it('is nothing but an error document with --json', () => {
    const disk = mbrDisk(new VmFolder(), 'a');
    const { code, stdout, stderr } = vmreclaim(['align', disk, '--json']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'no-terminal', family: 'usage' } });
  });

  it('needs no answer when there is nothing to do', () => {
    const disk = mbrDisk(new VmFolder(), 'a', [{ slot: 1, type: 0x83, start: 2048, count: 4096 }]);
    expect(vmreclaim(['align', disk])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('nothing to do'),
    });
  });
});
