import type { findProgram, runProgram } from '../backends/local/programs.js';
import type { ServedFile, serveAsFile } from '../backends/local/served-file.js';
import { refused, unsupported, VmreclaimError } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import { alignUp, MIB } from '../core/units.js';
import { Overlay } from '../device/overlay.js';
import type { BlockDevice } from '../device/types.js';
import { extResizing } from '../formats/ext/index.js';
import type { ResizeTools } from '../formats/resize-tools.js';
import type { FilesystemFacts, MinimumSize, VolumeResize } from '../formats/types.js';
import { capturedSteps, changedBytes, journalBytesFor, MAX_CAPTURED_SEGMENTS } from './captured.js';

/** What the tools are run with: from the backend, or from a test. */
export interface Workshop {
  readonly findProgram: typeof findProgram;
  readonly runProgram: typeof runProgram;
  readonly serveAsFile: typeof serveAsFile;
  /** The file that written bytes go to when they are more than memory may hold. */
  openScratch(): Promise<BlockDevice>;
}

export interface E2fsprogsOptions {
  /** Let e2fsck -p replay the journal and repair what it repairs without asking. */
  readonly repair: boolean;
  /** Throws when the run journal has no room for this many bytes more. */
  readonly checkRoom: (journalBytes: number) => Promise<void>;
}

/** The programs and the packages they are in, for one clear sentence. */
const PROGRAMS = ['e2fsck', 'resize2fs', 'nbdfuse', 'fusermount3'] as const;
const PACKAGES =
  'install e2fsprogs, libnbd-bin and fuse3 (Debian, Ubuntu) or e2fsprogs, libnbd and fuse3 (RHEL, Fedora; nbdfuse may be a package of its own there)';
/** Patched bytes held in memory. */
const MEMORY_BYTES = MIB;
/** Room above the smallest size that a guest needs to start: a share, and this at the least. */
const WORKING_ROOM_BYTES = 16 * MIB;
const WORKING_ROOM_SHARE = 20;
/** e2fsck(8), exit status: 1 says that it repaired something and is content now. */
const FSCK_REPAIRED = 1;
/** The same: errors left as they are. Everything else says that it could not look. */
const FSCK_FOUND_ERRORS = 4;
const MINIMUM = /Estimated minimum size of the filesystem: (\d+)/;

/**
 * e2fsck and resize2fs, on an overlay of one volume that is served to them as a file. The volume itself is only read: a
 * tool that fails, is killed or runs out of room leaves it as it was.
 */
export class E2fsprogs implements ResizeTools {
  private journalBytes = 0;
  private missing: Promise<string[]> | undefined;

  constructor(
    private readonly workshop: Workshop,
    private readonly options: E2fsprogsOptions,
  ) {}

  async require(volume: BlockDevice, { kind }: FilesystemFacts): Promise<void> {
    const { obstacle, damage } = await extResizing(volume);
    if (obstacle !== undefined) throw obstacle;
    this.missing ??= this.findMissing();
    const missing = await this.missing;
    if (missing.length > 0) {
      throw unsupported(
        'missing-tools',
        `${kind} is resized by outside programs: ${missing.join(', ')} missing`,
        {
          hint: PACKAGES,
        },
      );
    }
    if (damage !== undefined && !this.options.repair) throw damage;
  }

  async minimum(volume: BlockDevice, signal?: AbortSignal): Promise<MinimumSize> {
    const { blockBytes, damage } = await extResizing(volume);
    const overlay = this.overlayOf(volume);
    try {
      const said = await this.onFile(overlay, async (path) => {
        // What is wrong on it, resize2fs would count with.
        await this.checkOrRepair(path, damage !== undefined, signal);
        return this.run('resize2fs', ['-P', path], signal);
      });
      const blocks = MINIMUM.exec(said.output)?.[1];
      if (said.code !== 0 || blocks === undefined) throw toolFailed('resize2fs -P', said.output);
      const technicalBytes = Math.min(Number(blocks) * blockBytes, volume.sizeBytes);
      const room = Math.max(WORKING_ROOM_BYTES, technicalBytes / WORKING_ROOM_SHARE);
      const recommendedBytes = Math.min(
        alignUp(Math.ceil(technicalBytes + room), blockBytes),
        volume.sizeBytes,
      );
      return { technicalBytes, recommendedBytes, by: 'resize2fs -P' };
    } finally {
      await overlay.close();
    }
  }

  async resize(volume: BlockDevice, newSizeBytes: number, signal?: AbortSignal): Promise<VolumeResize> {
    const { blockBytes, totalBytes, damage } = await extResizing(volume);
    const overlay = this.overlayOf(volume);
    try {
      if (newSizeBytes > volume.sizeBytes) await overlay.resize(newSizeBytes);
      const blocks = Math.floor(newSizeBytes / blockBytes);
      const repaired = await this.onFile(overlay, (path) =>
        this.resizeFile(path, blocks, damage !== undefined, signal),
      );
      // The tools see the larger of both sizes; what counts is the smaller one.
      await overlay.resize(newSizeBytes);
      return await this.result(overlay, { volume, totalBytes, newSizeBytes, repaired });
    } catch (error) {
      await overlay.close();
      throw error;
    }
  }

  private async result(
    overlay: Overlay,
    { volume, totalBytes, newSizeBytes, repaired }: Worked,
  ): Promise<VolumeResize> {
    const range = { at: 0, length: newSizeBytes };
    const bytes = changedBytes(overlay, range);
    this.journalBytes += journalBytesFor(bytes);
    await this.options.checkRoom(this.journalBytes);
    const message = 'e2fsck -p replayed the journal or repaired the file system before it was resized';
    return {
      relocatedBytes: bytes,
      totalBytesBefore: totalBytes,
      totalBytesAfter: (await extResizing(overlay)).totalBytes,
      fixups: repaired ? [{ kind: 'repaired', message }] : [],
      warnings: [],
      steps: (signal) => capturedSteps(overlay, volume, range, 'what resize2fs wrote', signal),
      close: () => overlay.close(),
    };
  }

  /** Check, repair if that was asked for, resize, check. True when something was repaired. */
  private async resizeFile(
    path: string,
    blocks: number,
    isDamaged: boolean,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const repaired = await this.checkOrRepair(path, isDamaged, signal);
    // Nothing is left to repair: only notes that it was checked, which resize2fs wants to see.
    if (!repaired) await this.repair(path, signal);
    const resized = await this.run('resize2fs', [path, `${blocks}`], signal);
    if (resized.code !== 0) throw toolFailed('resize2fs', resized.output);
    const last = await this.run('e2fsck', ['-f', '-n', path], signal);
    if (last.code !== 0) throw toolFailed('e2fsck, after resize2fs,', last.output);
    return repaired;
  }

  /** True when something was repaired. Throws Refused when something would have to be, without consent. */
  private async checkOrRepair(path: string, isDamaged: boolean, signal?: AbortSignal): Promise<boolean> {
    const { code, output } = await this.run('e2fsck', ['-f', '-n', path], signal);
    // Asked only to look, e2fsck does not see what is in the journal.
    if (code === 0 && !isDamaged) return false;
    if (code !== 0 && code !== FSCK_FOUND_ERRORS) throw toolFailed('e2fsck', output);
    if (!this.options.repair) throw unclean(output);
    return this.repair(path, signal);
  }

  private async repair(path: string, signal?: AbortSignal): Promise<boolean> {
    const { code, output } = await this.run('e2fsck', ['-f', '-p', path], signal);
    if (code === 0 || code === FSCK_REPAIRED) return code === FSCK_REPAIRED;
    throw refused(
      'ext-not-repaired',
      `e2fsck -p does not repair the file system by itself: ${endOf(output)}`,
      {
        hint: 'run e2fsck in the guest, where you can answer its questions; nothing was changed',
      },
    );
  }

  private async onFile<T>(overlay: Overlay, work: (path: string) => Promise<T>): Promise<T> {
    const file: ServedFile = await this.workshop.serveAsFile(overlay, { writable: true, discards: false });
    try {
      return await work(file.path);
    } catch (error) {
      // What the tool suffered from says more than how it complained.
      throw file.failure instanceof VmreclaimError ? file.failure : error;
    } finally {
      await file.close();
    }
  }

  private async run(program: string, args: readonly string[], signal?: AbortSignal) {
    const path = (await this.workshop.findProgram(program)) ?? program;
    const result = await this.workshop.runProgram(path, args, signal);
    signal?.throwIfAborted();
    return result;
  }

  private overlayOf(volume: BlockDevice): Overlay {
    const { openScratch } = this.workshop;
    const memoryBytes = MEMORY_BYTES;
    return new Overlay(volume, {
      spill: () => openScratch(),
      memoryBytes,
      maxSegments: MAX_CAPTURED_SEGMENTS,
    });
  }

  private async findMissing(): Promise<string[]> {
    const missing: string[] = [];
    for (const name of PROGRAMS) {
      if ((await this.workshop.findProgram(name)) === undefined) missing.push(name);
    }
    return missing;
  }
}

interface Worked {
  readonly volume: BlockDevice;
  readonly totalBytes: number;
  readonly newSizeBytes: number;
  readonly repaired: boolean;
}

const unclean = (output: string) =>
  refused('ext-needs-repair', `e2fsck finds errors in the file system: ${endOf(output)}`, {
    hint: 'run e2fsck in the guest, or let --repair do what e2fsck does without asking',
  });

const toolFailed = (tool: string, output: string) =>
  refused('tool-failed', `${tool} does not do it: ${endOf(output)}`, {
    hint: 'nothing was changed; leave the size of this partition as it is, or resize it in the guest',
  });

/** The banner that every tool of the package begins with, and hints about its own command line. */
const NOISE = /^(resize2fs|e2fsck) \d|^$|trying to truncate/;
const END_LINES = 3;

/** The last lines of what a tool said, in one. The names on the file system may be in them. */
function endOf(output: string): string {
  const lines = output.split(/[\r\n]+/).map((line) => cleanText(line.trim()));
  return (
    lines
      .filter((line) => !NOISE.test(line))
      .slice(-END_LINES)
      .join('; ') || 'it does not say why'
  );
}
