import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cronFields } from '../../src/schedule/crontab.js';
import { checkJob, markedJob, markLine, parseJobTime } from '../../src/schedule/job.js';
import { onCalendar } from '../../src/schedule/systemd.js';
import type { Job } from '../../src/schedule/types.js';

const job = (change: Partial<Job> = {}): Job => ({
  name: 'nightly',
  at: '02:30',
  command: ['scan', '/vmfs/volumes'],
  folder: '/root',
  ...change,
});

describe('a time', () => {
  it.each([
    ['02:30', '30 2 * * *', '*-*-* 02:30:00'],
    ['2:30', '30 2 * * *', '*-*-* 02:30:00'],
    ['Sun 23:59', '59 23 * * 0', 'Sun *-*-* 23:59:00'],
    ['thu,mon,thu 00:00', '0 0 * * 1,4', 'Mon,Thu *-*-* 00:00:00'],
    ['1 04:05', '5 4 1 * *', '*-*-01 04:05:00'],
    ['28 04:05', '5 4 28 * *', '*-*-28 04:05:00'],
  ])('%s: %s, %s', (text, fields, calendar) => {
    expect(cronFields(parseJobTime(text))).toBe(fields);
    expect(onCalendar(parseJobTime(text))).toBe(calendar);
  });

  it.each(['', '24:00', '12:60', '1230', '0 12:00', '29 12:00', 'mo 12:00', 'mon, 12:00', '12:00 mon'])(
    'refuses %j',
    (text) => {
      expect(() => parseJobTime(text)).toThrow('is not a time');
    },
  );
});

describe('a job', () => {
  it.each<[Partial<Job>, string]>([
    [{ name: '../x' }, 'is named with'],
    [{ name: 'Nightly' }, 'is named with'],
    [{ command: [] }, 'nothing cannot be scheduled'],
    [{ command: ['resume', '/a.vmdk'] }, 'resume cannot be scheduled'],
    [{ command: ['scan', '/a\nb'] }, 'control characters'],
    [{ folder: '/a\nb' }, 'control characters'],
    [{ command: ['shrink', '/a.vmdk'] }, 'nobody is there to answer'],
    [{ folder: '/a\\' }, 'cannot be scheduled in'],
    [{ at: 'noon' }, 'is not a time'],
  ])('with %j is refused', (change, message) => {
    expect(() => checkJob(job(change))).toThrow(message);
  });

  it('may change disks when it does not ask', () => {
    expect(() => checkJob(job({ command: ['shrink', '/a.vmdk', '-y'] }))).not.toThrow();
    expect(() => checkJob(job({ command: ['align', '/a.vmdk', '--dry-run'] }))).not.toThrow();
  });

  it('is known again by its mark, and nothing else is', () => {
    const words = fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 5 });
    fc.assert(
      fc.property(words, fc.string(), (command, folder) => {
        const marked = job({ command, folder });
        expect(markedJob(markLine(marked))).toEqual(marked);
        expect(markLine(marked)).not.toContain('\n');
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(markedJob(text)).toBeUndefined();
        expect(markedJob(`# vmreclaim schedule: ${text}`)).toBeUndefined();
      }),
    );
  });
});
