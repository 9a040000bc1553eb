import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const DEMO = fileURLToPath(new URL('../../scripts/demo.mjs', import.meta.url));
const WIDTH = 80;
const ESCAPE = '\u001b[';

let temporary = '';
beforeAll(() => {
  temporary = mkdtempSync(join(tmpdir(), 'vmreclaim-demo-test-'));
});
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

/** Runs the demo off a terminal, its temporary folder below `folder`. */
function demo(args: readonly string[], extra: NodeJS.ProcessEnv = {}, folder = temporary) {
  const { NO_COLOR: _no, FORCE_COLOR: _force, ...inherited } = process.env;
  const env = { ...inherited, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', TMPDIR: folder, ...extra };
  return spawnSync(process.execPath, [DEMO, ...args], { encoding: 'utf8', env });
}

describe('npm run demo', () => {
  it('scans, plans, aligns, scans again and shrinks, in 80 columns without colour, and cleans up', () => {
    const { status, stdout, stderr } = demo([]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const commands = stdout.split('\n').filter((line) => line.startsWith('$ '));
    expect(commands.map((line) => line.split(' ')[2])).toEqual(['scan', 'plan', 'align', 'scan', 'shrink']);
    const results = [
      '2 misaligned to 64 KiB',
      '1. partition 2 moves',
      'fixed partition 1',
      '0 misaligned',
      'NTFS: 14048 -> 6143 clusters',
    ];
    const places = results.map((text) => stdout.indexOf(text));
    expect(places).not.toContain(-1);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(stdout.split('\n').filter((line) => [...line].length > WIDTH)).toEqual([]);
    expect(stdout).not.toContain(ESCAPE);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('shows colours when they are forced', () => {
    const { status, stdout } = demo([], { FORCE_COLOR: '1' });
    expect(status).toBe(0);
    const lines = stdout.split('\n');
    // Of the script's own lines, and of the command line's maps.
    expect(lines.find((line) => line.includes('$ vmreclaim scan'))).toContain(ESCAPE);
    expect(lines.find((line) => line.includes('░░░'))).toContain(ESCAPE);
  });

  it('leaves the finished disk behind with --keep, whole and with its holes', () => {
    const { status, stdout } = demo(['--keep']);
    expect(status).toBe(0);
    const folder = /^The disk is in (.*)$/m.exec(stdout)?.[1] ?? '';
    expect(readdirSync(folder).sort()).toEqual(['demo-flat.vmdk', 'demo.vmdk', 'state']);
    const flat = join(folder, 'demo-flat.vmdk');
    const disk = readFileSync(flat);
    // Start of the first two entries of the MBR.
    expect([disk.readUInt32LE(446 + 8), disk.readUInt32LE(446 + 16 + 8)]).toEqual([128, 49_280]);
    expect(statSync(flat).blocks * 512).toBeLessThan(disk.length / 2);
    rmSync(folder, { recursive: true });
  });

  it('fails when it cannot unpack the disk', () => {
    const missing = join(temporary, 'missing');
    expect(demo([], {}, missing).status).not.toBe(0);
    expect(existsSync(missing)).toBe(false);
  });
});
