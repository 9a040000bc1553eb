import { type Command, InvalidArgumentError, Option } from 'commander';
import { BOOT_FIXUPS, type BootFixup } from '../boot/types.js';
import { VmreclaimError } from '../core/errors.js';
import { parseSize } from '../core/size.js';
import { isPowerOfTwo, KIB, MIB } from '../core/units.js';
import type { FreeRule, WantedSize } from '../plan/types.js';
import { PROGRESS_KINDS, type ProgressKind } from './progress.js';
import type { OutputOptions } from './terminal.js';

export interface CommonOptions extends OutputOptions {
  readonly progress: ProgressKind;
  readonly allowOutsideExtents?: boolean;
  readonly identity?: string;
  readonly acceptNewHostKey?: boolean;
  readonly sshConfig?: string;
  readonly remoteHelper: 'auto' | 'off';
  readonly linkTimeout: number;
  readonly allowUnsafeFlush?: boolean;
}

export interface ChangeFlags extends CommonOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly safetyCopy?: boolean;
}

export interface AbandonFlags extends CommonOptions {
  readonly force?: boolean;
  readonly restore?: boolean;
  readonly yes?: boolean;
}

export interface LayoutFlags {
  readonly size?: WantedSize[];
  readonly free?: FreeRule;
  readonly min?: boolean;
  readonly dropShadowCopies?: boolean;
  readonly scheduleChkdsk?: boolean;
  readonly repair?: boolean;
  readonly allocate?: 'sparse' | 'full';
  readonly skipBootFixups?: BootFixup[];
  readonly boundary: number;
  /** The boundary was named, and is not the default. */
  readonly boundaryGiven?: boolean;
  readonly profile?: string;
  readonly cylinders?: boolean;
  readonly doNotAlign?: number[];
  readonly partition?: number[];
  readonly grow?: boolean;
  readonly diskSize?: number;
}

export interface ZeroFlags extends ChangeFlags {
  readonly partition?: number[];
  readonly gapsOnly?: boolean;
  readonly swap?: boolean;
  readonly pagefile?: boolean;
  /** False by `--no-punch`. */
  readonly punch: boolean;
}

export type PlanFor = 'align' | 'shrink' | 'enlarge';

export interface PlanFlags extends CommonOptions, LayoutFlags {
  readonly explain?: boolean;
  readonly safetyCopy?: boolean;
  readonly for?: PlanFor;
}

export interface ScanFlags extends CommonOptions {
  readonly boundary: number;
  readonly boundaryGiven?: boolean;
  readonly profile?: string;
  readonly deep?: boolean;
  readonly check?: boolean;
  readonly details?: boolean;
  readonly sort: string;
}

export interface MoveFlags extends ChangeFlags {
  readonly boundary: number;
  readonly plan?: string;
  readonly to?: { number: number; startLba: number }[];
  readonly skipBootFixups?: BootFixup[];
  readonly grow?: boolean;
  readonly repair?: boolean;
}

export interface ServeFlags extends CommonOptions {
  readonly partition: number;
  readonly socket?: string;
  readonly mount?: string;
  readonly write?: boolean;
  readonly yes?: boolean;
}

const MIN_BOUNDARY_BYTES = 4 * KIB;
const MAX_BOUNDARY_BYTES = 16 * MIB;
const DEFAULT_BOUNDARY_BYTES = 64 * KIB;

/** A size as commander wants it: a bad one is an error of that option. */
export function sizeArgument(text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof VmreclaimError ? error.message : String(error));
  }
}

function boundaryArgument(text: string): number {
  const bytes = sizeArgument(text);
  if (isPowerOfTwo(bytes) && bytes >= MIN_BOUNDARY_BYTES && bytes <= MAX_BOUNDARY_BYTES) return bytes;
  throw new InvalidArgumentError('A boundary is a power of two from 4K to 16M.');
}

/** `1,3` or several of the option: numbers of partitions. */
export function numbersArgument(text: string, before: number[] = []): number[] {
  const numbers = text.split(',').map((part) => (/^[1-9]\d{0,2}$/.test(part) ? Number(part) : 0));
  if (numbers.includes(0)) throw new InvalidArgumentError('Partition numbers, separated by commas.');
  return [...before, ...numbers];
}

/** The number of one partition. */
export function partitionArgument(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('The number of a partition.');
}

/** Options of every command. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON document on stdout')
    .option('-o, --output <file>', 'write the result to a file')
    .addOption(
      new Option('--progress <kind>', 'how progress is shown on stderr')
        .choices(PROGRESS_KINDS)
        .default('auto'),
    )
    .option('--quiet', 'say nothing but the result and errors')
    .option('--no-color', 'no colours (NO_COLOR and FORCE_COLOR work too)')
    .option('--allow-outside-extents', 'use extent files outside the folder of the descriptor')
    .option('--identity <file>', 'sftp: private key to log in with')
    .option('--accept-new-host-key', 'sftp: add the key of an unknown host to known_hosts')
    .option('--ssh-config <file>', 'sftp: ssh_config to use instead of that of the user')
    .addOption(
      new Option('--remote-helper <how>', 'sftp: copy on the server where it can, or all over the wire')
        .choices(['auto', 'off'])
        .default('auto'),
    )
    .addOption(
      new Option('--link-timeout <seconds>', 'sftp: how long a lost connection is tried again')
        .argParser(secondsArgument)
        .default(300),
    )
    .option('--allow-unsafe-flush', 'sftp: change disks on a server that cannot make writes durable');
}

function secondsArgument(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Whole seconds, 0 for none.');
}

/** Options of every command that changes a disk. */
export function withChangeOptions(command: Command): Command {
  return withSafetyOption(withCommonOptions(command))
    .option('-y, --yes', 'go on without asking')
    .option('-n, --dry-run', 'plan, compile and rehearse, but change nothing');
}

/** For commands that change a disk, and for their plan. */
export function withSafetyOption(command: Command): Command {
  return command.option(
    '--safety-copy',
    'first make a copy that shares blocks with the disk (XFS, btrfs): abandon --restore goes back to it',
  );
}

export function withBoundary(command: Command): Command {
  return command
    .addOption(
      new Option('--boundary <size>', 'boundary to align to: a power of two from 4K to 16M')
        .argParser(boundaryArgument)
        .default(DEFAULT_BOUNDARY_BYTES, '64K'),
    )
    .hook('preAction', (_, chosen) => {
      // A profile may say another one, but not over what was typed.
      chosen.setOptionValue('boundaryGiven', chosen.getOptionValueSource('boundary') === 'cli');
    });
}

/** For commands that move partitions. */
export function withBootOption(command: Command): Command {
  return command.option(
    '--skip-boot-fixups <name,...>',
    `leave as it is what the guest finds by position: ${BOOT_FIXUPS.join(', ')}`,
    fixupsArgument,
  );
}

/** `bcd,grub` or several of the option. */
export function fixupsArgument(text: string, before: BootFixup[] = []): BootFixup[] {
  const names = text.split(',').map((name) => BOOT_FIXUPS.find((known) => known === name));
  const known = names.flatMap((name) => name ?? []);
  if (known.length === names.length) return [...before, ...known];
  throw new InvalidArgumentError(`Names, separated by commas, of ${BOOT_FIXUPS.join(', ')}.`);
}

/** Options that say what the layout shall be. */
export function withLayoutOptions(command: Command): Command {
  return withBootOption(withBoundary(command))
    .option('--cylinders', 'align to cylinder boundaries instead')
    .option('--do-not-align <n,...>', 'partitions that are not aligned', numbersArgument)
    .option('--partition <n,...>', 'align (shrink, enlarge: resize) only these partitions', numbersArgument)
    .option('--grow', 'let the disk grow when its end is in the way')
    .option('--disk-size <size>', 'size of the disk afterwards, at least', sizeArgument)
    .option('--size <[n=]size>', 'size of partition N with its file system (repeatable)', wantedSizeArgument)
    .addOption(
      new Option('--free <amount>', 'free space that the other file systems keep')
        .argParser(freeArgument)
        .conflicts('min'),
    )
    .option('--profile <file>', 'rules that say what is wanted where no option does')
    .option('--min', 'the smallest safe size for the other file systems')
    .option(
      '--repair',
      'let e2fsck replay the journal and repair what it repairs without asking, before a resize',
    )
    .option('--drop-shadow-copies', 'consent to lose restore points where files must be moved under them')
    .option(
      '--schedule-chkdsk',
      'leave resized NTFS volumes marked dirty: Windows checks them at its next start',
    );
}

/** `35%` of the new size, or a size. */
export function freeArgument(text: string): FreeRule {
  const share = /^(\d{1,2}(?:\.\d{1,3})?)\s?%$/.exec(text)?.[1];
  if (share === undefined) return { kind: 'bytes', bytes: sizeArgument(text) };
  return { kind: 'percent', percent: Number(share) };
}

/** `2=20G`, or `20G` for the only partition that can be resized; repeatable. */
export function wantedSizeArgument(text: string, before: WantedSize[] = []): WantedSize[] {
  const match = /^(?:([1-9]\d{0,2})=)?(.+)$/.exec(text);
  const sizeBytes = sizeArgument(match?.[2] ?? '');
  if (sizeBytes === 0) throw new InvalidArgumentError('A partition cannot have size 0.');
  return [...before, { number: match?.[1] === undefined ? null : Number(match[1]), sizeBytes }];
}

/** `3=2048`, repeatable: partition number and LBA. */
export function targetArgument(
  text: string,
  before: { number: number; startLba: number }[] = [],
): { number: number; startLba: number }[] {
  const match = /^([1-9]\d{0,2})=(\d{1,15})$/.exec(text);
  if (match === null) throw new InvalidArgumentError('A target is a partition number and an LBA: 1=2048.');
  const number = Number(match[1]);
  if (before.some((target) => target.number === number)) {
    throw new InvalidArgumentError(`Partition ${number} has two targets.`);
  }
  return [...before, { number, startLba: Number(match[2]) }];
}
