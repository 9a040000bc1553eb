import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { machineId, shellWord } from '../../src/host/esxi/commands.js';
import { parseDisks } from '../../src/host/esxi/parse-devices.js';
import { parseLockDump, parseLockInfo } from '../../src/host/esxi/parse-locks.js';
import {
  machineIdsOf,
  parseDatastorePath,
  parseDatastores,
  parseSummary,
} from '../../src/host/esxi/parse-machines.js';
import {
  parseFault,
  parsePowerState,
  parseQuestion,
  parseSnapshots,
} from '../../src/host/esxi/parse-state.js';

const LIST = `Vmid          Name                          File                    Guest OS          Version   Annotation
1      web 1                      [ds 1] web 1/web 1.vmx               otherGuest64      vmx-13    note
12 of them were there: [ds 1] web 1/web 1.vmx
Skipping invalid VM '16'
23     [x] "q" 'y' z              [ds (2)] web 1/web 1.vmx             rhel7_64Guest     vmx-14
`;
const config = (...lines: string[]) =>
  `Listsummary:\n\n(vim.vm.Summary) {\n   config = (vim.vm.Summary.ConfigSummary) {\n${lines.map((line) => `      ${line}, \n`).join('')}   }, \n}\n`;
const LOCK =
  'Lock [type 10c00001 offset 48652288 v 33, hb offset 3506176\ngen 9, mode 1, owner 5630b2a6-4d2f1c3a-7b1e-e41f13b64614 mtime 56177 nHld 0 nOvf 0]\nlen 524, nb 0 tbz 0, cow 0, zla 3, bs 2097152\n';
const FREE = LOCK.replace('mode 1', 'mode 0').replace(
  /owner \S+/,
  'owner 00000000-00000000-0000-000000000000',
);

describe('answers of an ESXi host', () => {
  it('names the machines whose row holds a file, annotations and all', () => {
    expect(machineIdsOf(LIST, 'web 1/web 1.vmx')).toEqual(['1', '12', '23']);
    expect(machineIdsOf(LIST, 'other.vmx')).toEqual([]);
  });

  it('takes datastore paths apart, and none that leave the datastore', () => {
    expect(parseDatastorePath('[ds [a]] x/y.vmx')).toEqual({ datastore: 'ds [a]', path: 'x/y.vmx' });
    expect(parseDatastorePath('[ds] ../x.vmx')).toBeUndefined();
    expect(parseDatastorePath('x/y.vmx')).toBeUndefined();
  });

  it('believes no summary in which the path stands twice', () => {
    const name = 'name = "a "b" c"';
    const path = 'vmPathName = "[ds] a/a.vmx"';
    expect(parseSummary(config(name, path))).toEqual({
      name: 'a "b" c',
      guestOs: null,
      vmx: { datastore: 'ds', path: 'a/a.vmx' },
    });
    const annotation = 'annotation = "so\n      vmPathName = "[ds] b/b.vmx",\n"';
    expect(parseSummary(config(name, path, annotation))).toBeUndefined();
    expect(parseSummary(config(name))).toBeUndefined();
  });

  it('lists datastores, or nothing when one is not understood', () => {
    const store = (url: string) =>
      `   (vim.Datastore.Summary) {\n      name = "d", \n      url = "${url}", \n      type = "VMFS", \n   }, \n`;
    const list = (...stores: string[]) => `(vim.Datastore.Summary) [\n${stores.join('')}]\n`;
    expect(parseDatastores(list(store('/vmfs/volumes/5a'), store('ds:///vmfs/volumes/6b/')))).toEqual([
      { name: 'd', path: '/vmfs/volumes/5a', type: 'VMFS' },
      { name: 'd', path: '/vmfs/volumes/6b', type: 'VMFS' },
    ]);
    expect(parseDatastores(list(store('nfs://server')))).toBeUndefined();
    expect(parseDatastores('')).toBeUndefined();
  });

  it.each([
    ['Retrieved runtime info\nPowered on\n', 'on'],
    ['Retrieved runtime info\nPowered off\n', 'off'],
    ['Retrieved runtime info\nSuspended\n', 'suspended'],
    ['Retrieved runtime info\nPowered off?\n', 'unknown'],
    ['Retrieved runtime info\nconstructor\n', 'unknown'],
    ['Powered off\n', 'unknown'],
    ['Retrieved runtime info\nPowered off\nPowered on\n', 'unknown'],
    ['', 'unknown'],
  ])('reads the power state of %j as %s', (output, state) => {
    expect(parsePowerState(output)).toBe(state);
  });

  it('finds no snapshots only where the host says that there are none', () => {
    expect(parseSnapshots('Get Snapshot:\n')).toEqual([]);
    expect(parseSnapshots('')).toBeUndefined();
    expect(parseSnapshots('Get Snapshot:\nsomething\n')).toBeUndefined();
    const tree =
      'Get Snapshot:\n|-ROOT\n--Snapshot Name        : a\n--Snapshot Id        : 1\n--|-CHILD\n----Snapshot Name        : b : c\n';
    expect(parseSnapshots(tree)).toEqual(['a', 'b : c']);
    expect(parseSnapshots('Get Snapshot:\n|-ROOT\n')).toHaveLength(1);
  });

  it('tells faults and questions', () => {
    const fault =
      '(vim.fault.NotFound) {\n   faultCause = (vmodl.MethodFault) null, \n   msg = "Unable to find a VM corresponding to "2""\n}\n';
    expect(parseFault(fault)).toEqual({
      name: 'NotFound',
      message: 'Unable to find a VM corresponding to "2"',
    });
    expect(parseFault('Powering on VM:\n')).toBeUndefined();
    expect(parseQuestion('No message.\n')).toBeNull();
    expect(parseQuestion('Virtual machine message 12:\nmoved \u001b[31mor copied?\n')).toBe(
      'Virtual machine message 12: moved or copied?',
    );
    expect(parseQuestion('')).toBeUndefined();
  });

  it('reads locks, and what it does not know is not free', () => {
    expect(parseLockDump(FREE)).toEqual({ state: 'free', owners: [] });
    expect(parseLockDump(LOCK)).toEqual({ state: 'held', owners: ['e4:1f:13:b6:46:14'] });
    const readers = `${FREE}RO Owner[0] HB Offset 3506176 5630b2a6-4d2f1c3a-7b1e-e41f13b64614\n`;
    expect(parseLockDump(readers)).toMatchObject({ state: 'held' });
    expect(parseLockDump(FREE.replace('mode 0', 'mode 3')).state).toBe('held');
    expect(parseLockDump(FREE + FREE).state).toBe('unknown');
    expect(parseLockDump('').state).toBe('unknown');
    expect(parseLockInfo('"x-flat.vmdk" is not locked by any ESX host\n').state).toBe('free');
    expect(
      parseLockInfo(
        `vmfsfilelockinfo Version 2.0\n"x" is locked in Exclusive mode by host having mac address ['e4:1f:13:b6:46:14']\n`,
      ),
    ).toEqual({ state: 'held', owners: ['e4:1f:13:b6:46:14'] });
    expect(parseLockInfo('Total time taken: 0.1 seconds.\n').state).toBe('unknown');
  });

  it('reads attached disks with their own numbers, not those of what is below', () => {
    const disk =
      '   device = (vim.vm.device.VirtualDevice) [\n      (vim.vm.device.VirtualDisk) {\n         key = 2000,\n         backing = (vim.vm.device.VirtualDisk.FlatVer2BackingInfo) {\n            fileName = "[ds] a/a.vmdk",\n            parent = (x) {\n               fileName = "[ds] a/p.vmdk",\n            },\n         },\n         controllerKey = 1000,\n         unitNumber = 1,\n         capacityInKB = 2048,\n         shares = (y) {\n            unitNumber = 9,\n         },\n      }\n   ],\n';
    const found = { fileName: '[ds] a/a.vmdk', controllerKey: 1000, unitNumber: 1, capacityBytes: 2 << 20 };
    expect(parseDisks(disk)).toEqual([found]);
    expect(parseDisks(disk.replace('capacityInKB = 2048', 'capacityInKB = <unset>'))).toBeUndefined();
    expect(parseDisks('garbage')).toBeUndefined();
  });

  it('never throws on what a host may print, and never takes it for off, free or without snapshots', () => {
    const pieces = fc.constantFrom(
      'Lock [',
      'mode 0, owner ',
      'Get Snapshot:',
      'Powered off',
      'msg = "',
      '\n',
      '(',
      '{',
      '   ',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        expect(parsePowerState(text)).toBe('unknown');
        expect(parseLockDump(text).state).not.toBe('free');
        expect(parseSnapshots(`x${text}`)).toBeUndefined();
        for (const parse of [parseSummary, parseDatastores, parseDisks, parseFault, parseQuestion])
          parse(text);
      }),
    );
  });
});

describe('words for the shell of a host', () => {
  it('are what they were, whatever is in them', () => {
    const names = fc.sample(fc.string({ minLength: 1 }), 40).filter((name) => !/\p{Cc}/u.test(name));
    const hostile = ["a'; touch /tmp/x; '", '$(id)', '`id`', '-rf', '*', '\\', '"', ' ', "'", ...names];
    const script = hostile.map((name) => `printf '%s\\n' ${shellWord(name)}`).join('\n');
    const said = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' });
    expect(said).toBe(`${hostile.join('\n')}\n`);
  });

  it('are refused with control characters in them', () => {
    expect(() => shellWord('a\nb')).toThrow(/control characters/);
    expect(() => machineId('1; id')).toThrow(/no number/);
  });
});
