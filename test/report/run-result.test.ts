import { describe, expect, it } from 'vitest';
import { renderRunResult } from '../../src/report/run-result.js';
import { displayWidth } from '../../src/report/text-width.js';
import { ascii, HOSTILE, plain, UNSAFE } from './sample.js';
import { runResult } from './sample-plan.js';

describe('RunResult', () => {
  it('has the keys of docs/cli.md, and partitions as in a scan', () => {
    expect(Object.keys(runResult())).toEqual([
      ...['formatVersion', 'command', 'disk', 'runId', 'status', 'before', 'after', 'bytesCopied'],
      ...[
        'bytesWritten',
        'bytesDiscarded',
        'savedBytes',
        'seconds',
        'peakMemoryBytes',
        'verified',
        'fixups',
        'warnings',
      ],
    ]);
    expect(runResult().after).toMatchObject({
      sizeBytes: 100663296,
      partitions: [
        { number: 1, startLba: 128, startBytes: 65536, aligned: true, filesystem: { kind: 'ntfs' } },
      ],
    });
  });
});

describe('renderRunResult', () => {
  it('shows before and after, amounts and fix-ups', () => {
    const { text, exitCode } = renderRunResult(runResult({ bytesDiscarded: 512 }), ascii(200));
    expect(exitCode).toBe(0);
    expect(text.split('\n')).toEqual([
      'align /vms/demo/demo.vmdk: done and verified (run 20260101-1)',
      '',
      expect.stringMatching(/^before \|1!#+-+\|2!#+-+\|\.+\|$/),
      expect.stringContaining('1! ntfs "System" 54.9 MiB at LBA 63'),
      expect.stringMatching(/^after {2}\|1 #+-+\|\.+\|$/),
      expect.stringContaining('1  ntfs "System" 54.9 MiB at LBA 128'),
      '# used   - free   = use unknown   . unallocated   ! misaligned',
      '',
      'copied 9.9 MiB, written 9.9 MiB, discarded 512 B, the disk stays at 96.0 MiB, 1.3 s, peak memory 60.0 MiB',
      'fixed partition 1: Hidden sectors are 128. [hidden-sectors]',
      'fixed demo.vmdk: The content id is new. [content-id]',
      '',
    ]);
  });

  it('says nothing to do in one line', () => {
    const idle = runResult({ status: 'nothing-to-do', runId: null, fixups: [] });
    expect(renderRunResult(idle, plain(80))).toEqual({
      text: 'align /vms/demo/demo.vmdk: nothing to do\n',
      exitCode: 0,
    });
  });

  it('never lets a dry run look like a change', () => {
    const { text, exitCode } = renderRunResult(runResult({ status: 'dry-run', runId: null }), plain(80));
    expect(text).toContain('rehearsed and checked, nothing was changed\n');
    expect(text).toContain('would fix partition 1: ');
    expect(text).not.toContain('done');
    expect(exitCode).toBe(0);
  });

  it('is exit code 8 when the promise was not kept', () => {
    const { text, exitCode } = renderRunResult(runResult({ verified: false }), plain(80));
    expect(text).toContain('the result is not what was promised');
    expect(text).not.toContain('done');
    expect(exitCode).toBe(8);
  });

  it('says how the disk changed its size', () => {
    const saved = (savedBytes: number) => renderRunResult(runResult({ savedBytes }), plain(200)).text;
    expect(saved(1048576)).toContain('the disk is 1.0 MiB smaller: 96.0 MiB');
    expect(saved(-1048576)).toContain('the disk is 1.0 MiB larger: 96.0 MiB');
  });

  it.each([80, 200])('stays within %d columns and lets nothing hostile through', (width) => {
    const hostile = runResult({
      disk: HOSTILE.repeat(20),
      runId: HOSTILE,
      fixups: [{ kind: HOSTILE, file: HOSTILE.repeat(20), message: HOSTILE }],
      warnings: [{ code: HOSTILE, message: HOSTILE.repeat(20) }],
    });
    const { text } = renderRunResult(hostile, plain(width));
    expect(text).not.toMatch(UNSAFE);
    for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(width);
  });
});
