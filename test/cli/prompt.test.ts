import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cleanUpFolders, VmFolder } from '../disk/vm-folder.js';
import { judge } from '../support/judges.js';
import { BIN, mbrDisk } from './cli.js';

/**
 * Runs align in a terminal that does not know its width (0 columns), types the answer when it is asked, and returns what the terminal showed.
 */
function answer(disk: string, typed: string): Promise<{ code: number | null; shown: string }> {
  const child = spawn('script', ['-qec', `${process.execPath} ${BIN} align ${disk}`, '/dev/null'], {
    env: { ...process.env, NO_COLOR: '1', TERM: 'xterm' },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  let shown = '';
  let asked = false;
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    if (asked || !shown.includes('[y/N]')) return;
    asked = true;
    child.stdin.write(typed);
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, shown })));
}

cleanUpFolders();

describe.skipIf(!judge('script'))('the question before a change', () => {
  it.each([
    ['n', 'n\r', 4, 'declined'],
    ['Enter', '\r', 4, 'declined'],
    ['Ctrl-D', '\x04', 4, 'declined'],
    ['Ctrl-C', '\x03', 130, 'stopped: nothing was changed'],
  ])('answered with %s changes nothing', async (_name, typed, code, said) => {
    const disk = mbrDisk(new VmFolder(), 'disk');
    const before = contentOf(disk);
    const ended = await answer(disk, typed);
    expect(ended.shown).toContain(said);
    expect(ended.code).toBe(code);
    expect(contentOf(disk)).toEqual(before);
  });

  it('answered with y goes on', async () => {
    const disk = mbrDisk(new VmFolder(), 'disk');
    const before = contentOf(disk);
    const ended = await answer(disk, 'y\r');
    expect(ended.shown.replace(/\s+/g, ' ')).toContain('done and verified');
    expect(ended.code).toBe(0);
    expect(contentOf(disk)).not.toEqual(before);
  });
});

/** Descriptor and flat file. */
function contentOf(disk: string): string[] {
  return [disk, disk.replace('.vmdk', '-flat.vmdk')].map((path) => readFileSync(path, 'latin1'));
}
