import { type Command, Option } from 'commander';
import { type MachineFlags, withMachineOptions } from './machine-options.js';
import {
  type AbandonFlags,
  type ChangeFlags,
  type CommonOptions,
  type LayoutFlags,
  type MoveFlags,
  numbersArgument,
  type PlanFlags,
  partitionArgument,
  type ScanFlags,
  type ServeFlags,
  targetArgument,
  withBootOption,
  withBoundary,
  withChangeOptions,
  withCommonOptions,
  withLayoutOptions,
  withSafetyOption,
  type ZeroFlags,
} from './options.js';
import { addReportingCommands } from './reporting-commands.js';
import type { Surroundings } from './surroundings.js';

/** Declares all commands. What a command needs is loaded only when it is chosen: the start stays quick. */
export function addCommands(program: Command, around: Surroundings): void {
  addScan(program, around);
  addPlan(program, around);
  addShrink(program, around);
  addEnlarge(program, around);
  addAlign(program, around);
  addMoveExtents(program, around);
  addZero(program, around);
  addRun(program, around);
  addServe(program, around);
  addResume(program, around);
  addReportingCommands(program, around);
}

function addScan(program: Command, around: Surroundings): void {
  withBoundary(withCommonOptions(program.command('scan <target...>')))
    .description('what is there: layout, alignment, usage, what can be reclaimed')
    .option('--check', 'exit with 3 when a partition is misaligned or space can be reclaimed')
    .option('--deep', 'walk every volume: contradictions, and the smallest size that is proven')
    .option('--details', 'a block for every disk, however many there are')
    .option('--sort <key>', 'path, size or reclaimable', 'path')
    .option('--profile <file>', 'rules: adds what they recommend to the JSON')
    .action(async (targets: string[], options: ScanFlags) => {
      const { runScan } = await import('./run-scan.js');
      await runScan(targets, options, around);
    });
}

function addPlan(program: Command, around: Surroundings): void {
  withSafetyOption(withLayoutOptions(withCommonOptions(program.command('plan <disk>'))))
    .description('what align, shrink or enlarge would do, as a table or JSON; changes nothing')
    .addOption(
      new Option(
        '--for <command>',
        'which command to plan for (shrink with --size, --free or --min, else align)',
      ).choices(['align', 'shrink', 'enlarge']),
    )
    .option('--explain', 'which rule of the profile gave which number')
    .action(async (disk: string, options: PlanFlags) => {
      const { runPlan } = await import('./run-change.js');
      await runPlan(disk, options, around);
    });
}

function addAlign(program: Command, around: Surroundings): void {
  withLayoutOptions(withChangeOptions(program.command('align <disk>')))
    .description('move partitions onto the boundary, in place')
    .action(async (disk: string, options: ChangeFlags & LayoutFlags) => {
      const { runAlign } = await import('./run-change.js');
      await runAlign(disk, options, around);
    });
}

function addShrink(program: Command, around: Surroundings): void {
  withLayoutOptions(withChangeOptions(program.command('shrink <disk>')))
    .description('shrink file systems, pack partitions, cut the disk')
    .action(async (disk: string, options: ChangeFlags & LayoutFlags) => {
      const { runShrink } = await import('./run-change.js');
      await runShrink(disk, options, around);
    });
}

function addEnlarge(program: Command, around: Surroundings): void {
  withLayoutOptions(withChangeOptions(program.command('enlarge <disk>')))
    .description('grow the disk, partitions and file systems')
    .addOption(
      new Option('--allocate <how>', 'new bytes of the disk: holes where the store can, or written zeros')
        .choices(['sparse', 'full'])
        .default('sparse'),
    )
    .action(async (disk: string, options: ChangeFlags & LayoutFlags) => {
      const { runEnlarge } = await import('./run-change.js');
      await runEnlarge(disk, options, around);
    });
}

function addMoveExtents(program: Command, around: Surroundings): void {
  withBootOption(withBoundary(withChangeOptions(program.command('move-extents <disk>'))))
    .description('move partitions to where a plan or --to says')
    .option('--plan <file>', 'a plan saved with: vmreclaim plan --json -o FILE')
    .option('--to <n=lba>', 'where partition N shall start (repeatable)', targetArgument)
    .option('--grow', 'let the disk grow when its end is in the way')
    .option('--repair', 'as the saved plan was made: let e2fsck repair before a resize')
    .action(async (disk: string, options: MoveFlags) => {
      const { runMoveExtents } = await import('./run-change.js');
      await runMoveExtents(disk, options, around);
    });
}

function addZero(program: Command, around: Surroundings): void {
  withChangeOptions(program.command('zero <disk>'))
    .description('zero or punch unused space inside and between partitions')
    .option('--partition <n,...>', 'only the free space of these partitions', numbersArgument)
    .addOption(
      new Option('--gaps-only', 'only what no partition holds').conflicts(['partition', 'swap', 'pagefile']),
    )
    .option('--swap', 'also the contents of swap partitions')
    .option('--pagefile', 'also the contents of pagefile.sys and swapfile.sys')
    .option('--no-punch', 'write zeros; give nothing back to the store')
    .action(async (disk: string, options: ZeroFlags) => {
      const { runZero } = await import('./run-change.js');
      await runZero(disk, options, around);
    });
}

function addRun(program: Command, around: Surroundings): void {
  withMachineOptions(program.command('run <vm>'))
    .description('a whole virtual machine: shut it down, shrink, align and clear its disks, start it again')
    .action(async (vm: string, options: MachineFlags) => {
      const { runRun } = await import('./run-machine.js');
      await runRun(vm, options, around);
    });
}

function addServe(program: Command, around: Surroundings): void {
  withCommonOptions(program.command('serve <disk>'))
    .description('show one partition to other programs, as an NBD socket or a file, until Ctrl-C')
    .requiredOption('--partition <n>', 'which partition', partitionArgument)
    .addOption(new Option('--socket <path>', 'unix socket of the NBD export').conflicts('mount'))
    .option('--mount <folder>', 'empty folder in which the partition appears as a file (nbdfuse)')
    .option('--write', 'take writes, and commit them as a run at the end')
    .option('-y, --yes', 'commit without asking')
    .action(async (disk: string, options: ServeFlags) => {
      const { runServe } = await import('./run-serve.js');
      await runServe(disk, options, around);
    });
}

function addResume(program: Command, around: Surroundings): void {
  withCommonOptions(program.command('resume <disk>'))
    .description('finish an interrupted run')
    .action(async (disk: string, options: CommonOptions) => {
      const { runResume } = await import('./run-change.js');
      await runResume(disk, options, around);
    });
  withCommonOptions(program.command('abandon <disk>'))
    .description('drop an interrupted run that has not changed the disk yet, or put the disk back')
    .addOption(
      new Option('--force', 'drop it in any case: the disk was put back from a backup').conflicts('restore'),
    )
    .option('--restore', 'put the disk back to what it was, from the copy of --safety-copy')
    .option('-y, --yes', 'put it back without asking')
    .action(async (disk: string, options: AbandonFlags) => {
      const { runAbandon } = await import('./run-abandon.js');
      await runAbandon(disk, options, around);
    });
}
