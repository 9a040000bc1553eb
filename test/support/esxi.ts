import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Sshd } from './sshd.js';

const COMMANDS = fileURLToPath(new URL('./esxi', import.meta.url));

/** A machine on the stand-in. */
export interface EsxiMachine {
  readonly id: string;
  readonly name: string;
  /** Its .vmx. */
  readonly vmx: string;
  readonly disk: string;
}

const FREE_LOCK =
  'Lock [type 10c00001 offset 191045632 v 22, hb offset 3407872\ngen 0, mode 0, owner 00000000-00000000-0000-000000000000 mtime 5321 nHld 0 nOvf 0]\n' +
  'Addr <4, 401, 5>, gen 21, links 1, type reg, flags 0, uid 0, gid 0, mode 600\nlen 524, nb 0 tbz 0, cow 0, newSinceEpoch 0, zla 4305, bs 65536\n';

/**
 * An ESXi host made of a real sshd and stand-ins for vim-cmd and vmkfstools, which print what hosts print. Its datastores are
 * folders.
 */
export class FakeEsxi {
  readonly state: string;
  private readonly rows: string[] = [];

  private constructor(
    readonly server: Sshd,
    private readonly datastore: { readonly name: string; readonly path: string },
    state: string,
  ) {
    this.state = state;
    this.put('getallvms', 'Vmid      Name      File      Guest OS      Version      Annotation\n');
    this.put('lock', FREE_LOCK);
    this.put('log', '');
    this.put(`datastore.${datastore.name}`, '');
    this.put(
      'listsummary',
      `(vim.Datastore.Summary) [\n${this.summary(datastore.name, datastore.path, 'VMFS')}, \n${this.summary('other', '/nowhere', 'NFS')}\n]\n`,
    );
  }

  static async start(datastore: { name: string; path: string }): Promise<FakeEsxi> {
    const state = mkdtempSync(join(datastore.path, '..', 'esxi-state-'));
    mkdirSync(join(state, 'tmp'));
    const env = { ESXI_STATE: state, PATH: `${COMMANDS}:/usr/bin:/bin`, TMPDIR: join(state, 'tmp') };
    return new FakeEsxi(await Sshd.start({ env }), datastore, state);
  }

  /** Registers a machine with one disk, and its .vmx, in the folder of the disk. */
  register(id: string, name: string, folder: string, diskName: string, more = ''): EsxiMachine {
    const vmx = join(folder, `${diskName.replace(/\.vmdk$/, '')}.vmx`);
    const disk = join(folder, diskName);
    writeFileSync(
      vmx,
      `.encoding = "UTF-8"\ndisplayName = "${name.replaceAll('"', '|22')}"\nguestOS = "windows7-64"\nscsi0.present = "TRUE"\nscsi0:0.present = "TRUE"\nscsi0:0.fileName = "${diskName}"\n${more}`,
    );
    const at = (path: string): string => `[${this.datastore.name}] ${relative(this.datastore.path, path)}`;
    // Notes of people hold anything: what looks like a fault, or like the row of a machine that is not there.
    const note = `a note\n(vim.fault.NotFound) {\n   msg = "no fault"\n}\n99${id}  of ${name} were in ${at(vmx)}\n`;
    this.rows.push(`${id}     ${name}     ${at(vmx)}     windows7_64Guest     vmx-13     ${note}`);
    this.put(
      'getallvms',
      `Vmid      Name      File      Guest OS      Version      Annotation\n${this.rows.join('')}`,
    );
    this.put(`summary.${id}`, summaryOf(name, at(vmx)));
    this.put(`folder.${id}`, folder);
    this.put(`disk.${id}`, disk);
    this.put(`devices.${id}`, devicesOf(at(disk)));
    this.put(`sectors.${id}`, /^RW (\d+) /m.exec(readFileSync(disk, 'latin1'))?.[1] ?? '0');
    this.put(`power.${id}`, 'Powered off\n');
    return { id, name, vmx, disk };
  }

  /** As if somebody had switched it on: with its swap file. */
  powerOn({ id, vmx }: EsxiMachine): void {
    this.put(`power.${id}`, 'Powered on\n');
    writeFileSync(vmx.replace(/\.vmx$/, '-1a2b3c4d.vswp'), 'swap');
  }

  power({ id }: EsxiMachine): string {
    return readFileSync(join(this.state, `power.${id}`), 'utf8').trim();
  }

  put(name: string, text: string, mode = 0o644): void {
    writeFileSync(join(this.state, name), text, { mode });
  }

  drop(name: string): void {
    rmSync(join(this.state, name), { force: true });
  }

  /** Where its programs keep what they do not want to keep. */
  get temporary(): string {
    return join(this.state, 'tmp');
  }

  get datastorePath(): string {
    return this.datastore.path;
  }

  /** Begins a new log. */
  forget(): void {
    this.put('log', '');
  }

  /** The commands that were given so far. */
  get log(): string[] {
    return readFileSync(join(this.state, 'log'), 'utf8').trim().split('\n');
  }

  /** Commands that change something, in order. */
  get deeds(): string[] {
    const deeds =
      /^(vmsvc\/(power\.(?!getstate)|reload|device\.disk)|hostsvc\/datastore\/refresh|vmkfstools -K)/;
    return this.log.filter((line) => deeds.test(line)).map((line) => line.replace(/^vmsvc\//, ''));
  }

  async remove(): Promise<void> {
    await this.server.remove();
    rmSync(this.state, { recursive: true, force: true });
  }

  private summary(name: string, path: string, type: string): string {
    return `   (vim.Datastore.Summary) {\n      datastore = 'vim.Datastore:5e0026d9-a647150e-d8a8-4cedfb76e9d5', \n      name = "${name}", \n      url = "${path}", \n      capacity = 249913409536, \n      freeSpace = 12345678, \n      uncommitted = 0, \n      accessible = true, \n      multipleHostAccess = <unset>, \n      type = "${type}", \n      maintenanceMode = "normal"\n   }`;
  }
}

/** As `vmsvc/get.summary` prints it, shortened. */
function summaryOf(name: string, vmx: string): string {
  return `Listsummary:

(vim.vm.Summary) {
   vm = 'vim.VirtualMachine:12',
   runtime = (vim.vm.RuntimeInfo) {
      device = <unset>,
      host = <unset>,
      connectionState = "connected",
      powerState = "poweredOn",
      question = (vim.vm.QuestionInfo) null,
   },
   guest = (vim.vm.Summary.GuestSummary) {
      guestId = <unset>,
      guestFullName = <unset>,
      toolsStatus = "toolsOk",
   },
   config = (vim.vm.Summary.ConfigSummary) {
      name = "${name}",
      template = false,
      vmPathName = "${vmx}",
      memorySizeMB = 2048,
      guestId = "windows7_64Guest",
      guestFullName = "Microsoft Windows 7 (64-bit)",
      annotation = "a note
(vim.fault.NotFound) {
that goes on",
      numVirtualDisks = 1,
   },
   overallStatus = "green",
}
`;
}

/** As `vmsvc/device.getdevices` prints it, shortened. */
function devicesOf(disk: string): string {
  return `Devices:

(vim.vm.VirtualHardware) {
   numCPU = 2,
   device = (vim.vm.device.VirtualDevice) [
      (vim.vm.device.VirtualLsiLogicController) {
         key = 1000,
         busNumber = 0,
         device = (int) [
            2000
         ],
         sharedBus = "noSharing",
         scsiCtlrUnitNumber = 7
      },
      (vim.vm.device.VirtualDisk) {
         key = 2000,
         deviceInfo = (vim.Description) {
            label = "Hard disk 1",
            summary = "@KIB@ KB"
         },
         backing = (vim.vm.device.VirtualDisk.FlatVer2BackingInfo) {
            fileName = "${disk}",
            datastore = 'vim.Datastore:5e0026d9-a647150e-d8a8-4cedfb76e9d5',
            diskMode = "persistent",
            thinProvisioned = true,
            parent = (vim.vm.device.VirtualDisk.FlatVer2BackingInfo) null,
         },
         connectable = (vim.vm.device.VirtualDevice.ConnectInfo) null,
         controllerKey = 1000,
         unitNumber = 0,
         capacityInKB = @KIB@,
         shares = (vim.SharesInfo) {
            shares = 1000,
            level = "normal"
         },
      }
   ],
}
`;
}

/** Makes the folder of a datastore, with one for a machine in it. */
export function makeDatastore(parent: string, name: string): { name: string; path: string } {
  const path = join(parent, name);
  mkdirSync(path);
  return { name, path };
}
