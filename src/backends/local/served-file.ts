import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceError, refused } from '../../core/errors.js';
import type { BlockDevice } from '../../device/types.js';
import { attempt } from './errors.js';
import type { ExportFlags } from './nbd/protocol.js';
import { NbdServer } from './nbd/server.js';
import { boundToUs, findProgram, runProgram } from './programs.js';

/** A device that outside programs find as a file. */
export interface ServedFile {
  readonly path: string;
  /** The first access of the device that failed while it was served. */
  readonly failure: unknown;
  /** Resolves when nbdfuse has ended, also by itself: the file is gone then. */
  readonly over: Promise<void>;
  /**
   * Takes the file away; the device stays open. One that somebody has open is let go after a second. With `onBusy` that is said
   * instead, and it is waited for until the signal it returns is aborted: Refused (still-in-use) then.
   */
  close(onBusy?: () => AbortSignal): Promise<void>;
}

export interface ServedFileOptions extends ExportFlags {
  /** Folder that the file appears in; by default a private one that goes with it. */
  readonly folder?: string;
  readonly onIdle?: (cleanly: boolean) => void;
}

const FILE_NAME = 'partition.img';
/** nbdfuse has its file in place within milliseconds, on a busy machine within seconds. */
const READY_POLLS = 600;
const POLL_MS = 25;
/** How often a file that somebody has still open is asked to go, before it is taken away lazily. */
const UNMOUNT_TRIES = 40;
const BUSY_POLL_MS = 300;

/**
 * The device as a file, through an NBD socket of this process and nbdfuse: without root wherever /dev/fuse may be used.
 * Both lie in a folder that nobody else may enter. Throws Device when it does not come up.
 */
export async function serveAsFile(device: BlockDevice, options: ServedFileOptions): Promise<ServedFile> {
  const folder = await attempt('make a temporary folder in', tmpdir(), () =>
    mkdtemp(join(tmpdir(), 'vmreclaim-')),
  );
  const cleanup: ((onBusy?: () => AbortSignal) => Promise<unknown>)[] = [
    () => rm(folder, { recursive: true, force: true }),
  ];
  const close = async (onBusy?: () => AbortSignal) => {
    const failures: unknown[] = [];
    for (const step of cleanup.splice(0).reverse()) {
      await step(onBusy).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    const socket = join(folder, 'nbd.sock');
    const server = await NbdServer.listen(device, { ...options, socket });
    cleanup.push(() => server.close());
    const mountPoint = options.folder ?? join(folder, 'mount');
    if (options.folder === undefined) await mkdir(mountPoint);
    const path = join(mountPoint, FILE_NAME);
    const mount = await Mount.begin(path, mountPoint, socket, options.writable);
    cleanup.push((onBusy) => mount.end(onBusy));
    await mount.ready(device.sizeBytes);
    return {
      path,
      get failure() {
        return server.failure;
      },
      over: mount.over,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A running nbdfuse. */
class Mount {
  private said = '';
  private ended = false;
  readonly over: Promise<void>;

  private constructor(
    private readonly child: ChildProcess,
    private readonly path: string,
    private readonly folder: string,
  ) {
    child.stderr?.on('data', (chunk: Buffer) => {
      this.said = (this.said + chunk.toString()).slice(-2000);
    });
    this.over = new Promise((resolve) => {
      const end = () => {
        this.ended = true;
        resolve();
      };
      child.on('error', end);
      child.on('close', end);
    });
  }

  static async begin(path: string, folder: string, socket: string, writable: boolean): Promise<Mount> {
    const nbdfuse = (await findProgram('nbdfuse')) ?? 'nbdfuse';
    const mode = writable ? [] : ['-r'];
    const [command, args] = await boundToUs(nbdfuse, [...mode, path, '--unix', socket]);
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    return new Mount(child, path, folder);
  }

  /** Waits until the file is there with its size. */
  async ready(sizeBytes: number): Promise<void> {
    for (let poll = 0; poll < READY_POLLS && !this.ended; poll++) {
      const found = await stat(this.path).catch(() => undefined);
      if (found?.size === sizeBytes) return;
      await pause(POLL_MS);
    }
    const reason = this.said.trim().split('\n').at(-1) ?? '';
    throw deviceError('nbdfuse', `nbdfuse does not show the partition as a file: ${reason}`, {
      path: this.path,
      hint: 'it needs /dev/fuse: load the module fuse, and let this user open it',
    });
  }

  /** Unmounts. A program that still has the file open keeps it busy: waits, then lets it go without us. */
  async end(onBusy?: () => AbortSignal): Promise<void> {
    const isFree = await this.unmount(onBusy);
    const timer = setTimeout(() => this.child.kill('SIGTERM'), 1000);
    await this.over;
    clearTimeout(timer);
    if (!isFree && onBusy !== undefined) {
      throw refused('still-in-use', 'the file was still in use when it was taken away', {
        path: this.path,
        hint: 'nothing was committed, the disk is as it was; unmount what uses the file before you end the session',
      });
    }
  }

  /** False when it had to be taken away from somebody. */
  private async unmount(onBusy?: () => AbortSignal): Promise<boolean> {
    const fusermount = (await findProgram('fusermount3')) ?? 'fusermount3';
    let end: AbortSignal | undefined;
    for (let tries = 1; ; tries++) {
      if (tries === UNMOUNT_TRIES) end = onBusy?.();
      const isLast = tries >= UNMOUNT_TRIES && end?.aborted !== false;
      const flags = isLast ? ['-uz'] : ['-u'];
      const { code } = await runProgram(fusermount, [...flags, this.folder]).catch(() => ({ code: null }));
      // Asked once even when nbdfuse is gone: one that was killed leaves its mount behind.
      if (code === 0 || this.ended || isLast) return !isLast;
      await pause(end === undefined ? POLL_MS : BUSY_POLL_MS);
    }
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
