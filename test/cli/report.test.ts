import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cleanUpFolders, VmFolder } from '../disk/vm-folder.js';
import { mbrDisk, shell, vmreclaim } from './cli.js';

cleanUpFolders();

/** Two machines with a disk each, and a descriptor that is none. */
function datastore(): VmFolder {
  const folder = new VmFolder();
  for (const name of ['a', 'b']) {
    folder.vmx(`${name}/${name}.vmx`, [
      `displayName = "machine ${name}"`,
      'scsi0:0.present = "TRUE"',
      `scsi0:0.fileName = "${name}.vmdk"`,
    ]);
    // The descriptor names its extent from its own folder.
    const disk = mbrDisk(folder, `${name}/${name}`);
    writeFileSync(disk, readFileSync(disk, 'utf8').replace(`"${name}/`, '"'));
  }
  folder.text('broken/broken.vmdk', '# Disk DescriptorFile\ngarbage');
  return folder;
}

describe('vmreclaim report', () => {
  it('reports on what it could read, lists the rest, and exits as a scan does', () => {
    const folder = datastore();
    const scan = vmreclaim(['scan', folder.path]);
    const { code, stdout, stderr } = vmreclaim(['report', folder.path, '--json']);
    expect({ code, stderr }).toEqual({ code: 5, stderr: '' });
    expect(scan.code).toBe(5);
    const report = JSON.parse(stdout);
    expect(report.vms.map(({ name }: { name: string }) => name)).toEqual(['machine a', 'machine b']);
    expect(report.errors).toEqual([expect.objectContaining({ path: folder.at('broken/broken.vmdk') })]);
    expect(report.totals).toMatchObject({ vms: 2, disks: 2, partitions: 4, misaligned: 4, errors: 1 });
    expect(report.savings).toEqual([expect.objectContaining({ folder: folder.path, disks: 2 })]);
    expect(report.datastores).toEqual([expect.objectContaining({ disks: 2 })]);
    expect(report.datastores[0].capacityBytes).toBeGreaterThan(report.datastores[0].usedBytes);
    const html = vmreclaim(['report', folder.path, '--format', 'html', '-o', folder.at('r.html')]);
    expect({ code: html.code, stdout: html.stdout }).toEqual({ code: 5, stdout: '' });
    expect(readFileSync(folder.at('r.html'), 'utf8')).toContain('broken/broken.vmdk');
  });

  it('tells the same of a saved scan as of a new one', () => {
    const folder = datastore();
    const scanned = JSON.parse(vmreclaim(['report', folder.path, '--json']).stdout);
    const piped = shell(`$V scan --json ${folder.path} | $V report --from - --json`);
    const saved = JSON.parse(piped.stdout);
    const withoutClock = ({
      generatedAt,
      datastores,
      ...rest
    }: {
      generatedAt: string;
      datastores: unknown[];
    }) => {
      expect(generatedAt).toMatch(/^\d{4}-\d\d-\d\dT/);
      expect(datastores).toHaveLength(1);
      return rest;
    };
    expect(withoutClock(saved)).toEqual(withoutClock(scanned));
    vmreclaim(['scan', '--json', folder.at('a'), '-o', folder.at('scan.json')]);
    const { code, stdout } = vmreclaim(['report', '--from', folder.at('scan.json'), '--format', 'csv']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/\r\nvm,machine a,/);
  });

  it('says what a GiB is worth', () => {
    const folder = datastore();
    const args = ['report', folder.at('a'), '--json', '--cost-per-gib', '0.25', '--currency', 'eur'];
    const { totals, cost } = JSON.parse(vmreclaim(args).stdout);
    expect(cost).toEqual({ perGib: 0.25, currency: 'EUR' });
    expect(totals.savedCost).toBe(0);
  });

  it.each([
    [['report'], 'report-target'],
    [['report', 'x', '--from', 'y'], 'report-target'],
    [['report', 'x', '--currency', 'EUR'], 'report-currency'],
    [['report', 'x', '--json', '--format', 'csv'], 'report-format'],
    [['report', 'x', '--format', 'pdf'], 'command-line'],
    [['report', 'x', '--cost-per-gib', '-1'], 'command-line'],
    [['report', '--from', '/nonexistent'], 'scan-file'],
    [['report', '--from', '/dev/zero'], 'scan-file'],
    [['report', 'x', '--profile', '/dev/zero'], 'profile'],
  ])('refuses %j', (args, code) => {
    const { code: exit, stdout, stderr } = vmreclaim([...args, '--no-color']);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(stderr).toMatch(new RegExp(`error \\[${code}\\]|"code": "${code}"`));
  });

  it('names what is wrong in a scan that is none', () => {
    const folder = new VmFolder();
    const scan = { formatVersion: 1, disks: [{ path: 'x', sizeBytes: -1 }], datastores: [], errors: [] };
    writeFileSync(folder.at('scan.json'), JSON.stringify(scan));
    const { code, stderr } = vmreclaim(['report', '--from', folder.at('scan.json')]);
    expect(code).toBe(2);
    expect(stderr).toContain('disks.0.createType');
  });
});
