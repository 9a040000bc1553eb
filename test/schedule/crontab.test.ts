import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cronJobs, cronLine, withCronJob, withoutCronJob } from '../../src/schedule/crontab.js';
import type { Job, Starter } from '../../src/schedule/types.js';

/** In the place of node: a program that shows its arguments, each on a line. */
const SHOWING: Starter = { node: '/usr/bin/printf', program: '%s\\n', environment: {} };
const job = (name: string, command: readonly string[] = ['scan', '/a'], folder = '/'): Job => ({
  name,
  at: 'sun 02:30',
  command,
  folder,
});

const line = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\n'));
const crontab = fc.array(line).map((lines) => lines.map((text) => `${text}\n`).join(''));

describe('a crontab', () => {
  it('is what it was when a job comes and goes', () => {
    fc.assert(
      fc.property(crontab, (text) => {
        const both = withCronJob(withCronJob(text, job('a'), SHOWING), job('b'), SHOWING);
        expect(cronJobs(both)).toEqual([job('a'), job('b')]);
        expect(withoutCronJob(withoutCronJob(both, 'a'), 'b')).toBe(text);
      }),
    );
  });

  it('keeps a line of somebody else that came between the mark and the job, and lines without an end', () => {
    const [mark = '', own = ''] = withCronJob('', job('a'), SHOWING).split('\n');
    expect(withoutCronJob(`${mark}\n0 0 * * * backup\n${own}\n`, 'a')).toBe(`0 0 * * * backup\n${own}\n`);
    expect(withoutCronJob(withCronJob('0 0 * * * backup', job('a'), SHOWING), 'a')).toBe(
      '0 0 * * * backup\n',
    );
  });

  it('replaces a job of the same name', () => {
    const once = withCronJob('', job('a'), SHOWING);
    expect(withCronJob(once, job('a'), SHOWING)).toBe(once);
  });

  it('gives the shell the words that were written, whatever is in them', () => {
    const word = fc.string({ unit: 'binary-ascii' }).filter((text) => !/\p{Control}/u.test(text));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 4 }), (words) => {
        const [, text = ''] = /^(?:\S+ ){5}(.*)$/.exec(cronLine(job('a', words), SHOWING)) ?? [];
        // As cron does: a percent sign behind a backslash is one, others end the command.
        expect(text.replaceAll('\\%', '')).not.toContain('%');
        const { stdout } = spawnSync('sh', ['-c', text.replaceAll('\\%', '%')], { encoding: 'utf8' });
        expect(stdout).toBe(['schedule', 'run', 'a', '--', ...words, ''].join('\n'));
      }),
      { numRuns: 30 },
    );
  });
});
