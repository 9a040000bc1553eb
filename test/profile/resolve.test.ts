import { describe, expect, it } from 'vitest';
import { guestFamily } from '../../src/profile/defaults.js';
import { parseProfile } from '../../src/profile/profile-file.js';
import { categoriesOf, datastoreOf, resolveSettings } from '../../src/profile/resolve.js';
import type { Match, Profile, Subject } from '../../src/profile/types.js';
import { GIB, place, subject, volume } from './subject.js';

const profileOf = (text: string): Profile => parseProfile(`version: 1\n${text}`, 'p');

describe('resolveSettings', () => {
  const all = `
defaults: { free: { percent: 21 }, worth: { size: 1G } }
guests: { windows: { free: { percent: 22 } }, linux: { free: { percent: 99e-9 } } }
categories:
  - { name: named, attach: [web01], free: { percent: 25 } }
  - { name: first, match: { vm: "web*" }, free: { percent: 23 }, growth: { months: 3 } }
  - { name: second, match: { datastore: ds1 }, free: { percent: 24 } }
  - { name: labelled, match: { label: sys* }, free: { percent: 26 } }
`;
  const [first] = subject().partitions;

  it.each([
    ['nothing', '', null, {}, 10, 'built-in'],
    ['defaults', 'defaults: { free: { percent: 21 } }', null, {}, 21, 'defaults'],
    ['the guest over defaults', all.slice(0, all.indexOf('categories')), null, {}, 22, 'guests.windows'],
    ['a name over a match, wherever it stands', all, null, {}, 25, 'category named'],
    ['the later of two matches', all.replace('[web01]', '[x]'), null, {}, 24, 'category second'],
    ['a label, for its partition', all.replace('[web01]', '[x]'), first, {}, 26, 'category labelled'],
    ['the command line over all', all, first, { freePercent: 27 }, 27, 'command line'],
  ] as const)('%s', (_, text, partition, options, percent, source) => {
    const { settings, sources } = resolveSettings(profileOf(text), subject(), partition ?? null, options);
    expect([settings.freePercent, sources.freePercent]).toEqual([percent, source]);
  });

  it('goes setting by setting: what a stronger rule leaves out comes from a weaker one', () => {
    const { settings, sources } = resolveSettings(profileOf(all), subject(), null);
    expect(settings).toMatchObject({ freePercent: 25, growthMonths: 3, worthBytes: GIB, shrink: true });
    expect(sources).toMatchObject({
      freePercent: 'category named',
      growthMonths: 'category first',
      worthBytes: 'defaults',
      shrink: 'built-in',
      untouched: 'built-in for windows',
    });
  });
});

describe('categoriesOf', () => {
  const holds = (match: Match, disk: Subject = subject()) =>
    categoriesOf(
      {
        defaults: {},
        guests: {},
        categories: [{ name: 'x', description: '', match, attach: [], settings: {} }],
      },
      disk,
      null,
    ).length === 1;

  it.each<[Match, boolean]>([
    [{ vm: ['WEB??'] }, true],
    [{ vm: ['db*', 'web*'] }, true],
    [{ vm: ['db*'] }, false],
    [{ guestOs: ['windows2019*'] }, true],
    [{ guestOs: ['windows'] }, true],
    [{ guestOs: ['linux'] }, false],
    [{ datastore: ['ds1'] }, true],
    [{ datastore: ['ds'] }, false],
    [{ folder: ['/vmfs/volumes/ds1'] }, true],
    [{ folder: ['*/web01'] }, true],
    [{ folder: ['/vmfs/volumes/ds1/web01/web01.vmdk'] }, false],
    [{ minimumDiskBytes: 10 * GIB, maximumDiskBytes: 11 * GIB }, true],
    [{ minimumDiskBytes: 11 * GIB }, false],
    [{ maximumDiskBytes: 10 * GIB }, false],
    [{ vm: ['web*'], datastore: ['ds2'] }, false],
    [{}, true],
  ])('%j: %s', (match, expected) => {
    expect(holds(match)).toBe(expected);
  });

  it('does not take a disk without a machine for one with a name', () => {
    expect(holds({ vm: ['*'] }, subject({ vm: null }))).toBe(false);
  });

  it('knows the system found on the disk by its name', () => {
    const guest = { os: 'linux', name: 'Debian GNU/Linux 12 (bookworm)' } as const;
    expect(holds({ guestOs: ['Debian*'] }, subject({ guest, vm: null }))).toBe(true);
    expect(holds({ guestOs: ['Debian*'] }, subject({ vm: null }))).toBe(false);
  });
});

describe('what rules look at', () => {
  it.each([
    ['windows2019srv-64', 'ext4', 'windows'],
    ['winXPPro', 'ext4', 'windows'],
    ['rhel7-64', 'ntfs', 'linux'],
    ['other3xLinux-64', 'ntfs', 'linux'],
    ['freebsd-64', 'ntfs', 'other'],
    ['otherGuest', 'ntfs', 'windows'],
    [null, 'xfs', 'linux'],
    [null, 'ufs', 'other'],
  ])('guest of %j with %s: %s', (guestOs, kind, expected) => {
    const vm = guestOs === null ? null : { name: 'x', guestOs };
    const partitions = [place({ filesystem: volume({ kind }) })];
    expect(guestFamily(subject({ vm, partitions }))).toBe(expected);
  });

  it('takes the system found on the disk where the .vmx does not tell', () => {
    const guest = { os: 'linux', name: 'Debian GNU/Linux 12 (bookworm)' } as const;
    const silent = { name: 'x', guestOs: 'otherGuest' };
    expect(guestFamily(subject({ guest, vm: silent }))).toBe('linux');
    expect(guestFamily(subject({ guest, vm: null }))).toBe('linux');
    expect(guestFamily(subject({ guest }))).toBe('windows');
  });

  it.each([
    ['/vmfs/volumes/ds1/a/a.vmdk', 'ds1'],
    ['sftp://root@esx/vmfs/volumes/ds 2/a/b/a.vmdk', 'ds 2'],
    ['/srv/images/a/a.vmdk', 'images'],
    ['/a.img', ''],
  ])('datastore of %s: %s', (path, expected) => {
    expect(datastoreOf(path)).toBe(expected);
  });
});
