import { formatDuration, formatSize } from '../core/size.js';
import { baseName } from '../core/text.js';
import { EXIT_DONE } from './error.js';
import { reasonLines } from './notes.js';
import { type Painter, painter } from './paint.js';
import type { RunResult } from './run-result.js';
import { wrapText } from './text-width.js';
import type { Rendered, RenderOptions, StepDocument } from './types.js';

/** The JSON of `run`, key by key as docs/cli.md promises it. */
export interface MachineRunDocument {
  readonly formatVersion: 1;
  readonly command: 'run';
  readonly target: string;
  readonly vm: { readonly name: string; readonly path: string | null; readonly guestOs: string | null };
  readonly host: 'esxi' | 'command' | 'none';
  readonly runId: string;
  readonly status: 'done' | 'nothing-to-do' | 'dry-run';
  readonly power: { readonly before: string; readonly after: string };
  readonly steps: readonly StepDocument[];
  readonly disks: readonly {
    readonly disk: string;
    /** Null where the step was not taken, or had nothing to do. */
    readonly resumed: RunResult | null;
    readonly change: RunResult | null;
    readonly zero: RunResult | null;
  }[];
  readonly savedBytes: number;
  readonly seconds: number;
  readonly warnings: readonly { readonly code: string; readonly message: string; readonly hint?: string }[];
}

/** What a person is told before the machine is touched. */
export interface MachineForecast {
  readonly machine: string;
  readonly host: string;
  readonly power: string;
  readonly willSwitchOff: boolean;
  readonly willSwitchOn: boolean;
  readonly disks: readonly {
    readonly disk: string;
    readonly sizes: { readonly before: number; readonly after: number } | null;
    readonly note: string | null;
  }[];
}

const POWER: Readonly<Record<string, string>> = {
  on: 'powered on',
  off: 'powered off',
  suspended: 'suspended',
  unknown: 'not known to be on or off',
};

/** A step as a line, for the output as it happens and for the result. */
export function stepLine(
  { step, disk, status, message, seconds }: StepDocument,
  options: RenderOptions,
): string {
  const paint = painter(options);
  // Paths are in the JSON; a person knows the disks of a machine by their names.
  const what = disk === null ? step : `${step} ${baseName(disk)}`;
  const mark =
    status === 'done' ? paint.good(status) : status === 'failed' ? paint.bad(status) : paint.dim(status);
  const line = `${paint.text(what)}: ${mark}: ${paint.text(message)} (${formatDuration(seconds)})`;
  return `${wrapText(line, options.width, '    ').join('\n')}\n`;
}

/** The result of a run of a machine for a terminal. */
export function renderMachineRun(run: MachineRunDocument, options: RenderOptions): Rendered {
  const paint = painter(options);
  const steps = run.steps.map(
    (step, index) => `${String(index + 1).padStart(2)}. ${stepLine(step, options)}`,
  );
  const lines = [heading(run, paint), '', ...steps.map((line) => line.trimEnd()), '', ending(run)];
  const wrapped = lines.flatMap((line) =>
    line.includes('\n') ? [line] : wrapText(line, options.width, '    '),
  );
  const text = [...wrapped, ...reasonLines(paint.warn('warning'), warningsOf(run), paint, options.width)];
  return { text: `${text.join('\n')}\n`, exitCode: EXIT_DONE };
}

/** Each once. That VMFS must be told to give blocks back is no news where it was told. */
function warningsOf({ warnings, disks, steps }: MachineRunDocument): MachineRunDocument['warnings'] {
  const results = disks.flatMap(({ resumed, change, zero }) => [resumed, change, zero]);
  const all = [...warnings, ...results.flatMap((result) => result?.warnings ?? [])];
  const punched = steps.some(({ step, status }) => step === 'punch' && status === 'done');
  const told = all.filter(({ code }) => !punched || code !== 'vmfs-thin');
  return [...new Map(told.map((warning) => [`${warning.code} ${warning.message}`, warning])).values()];
}

function heading({ vm, host, status, runId }: MachineRunDocument, paint: Painter): string {
  const what = `${paint.strong('run')} ${paint.text(vm.name)}`;
  const where = host === 'esxi' ? ' on ESXi' : '';
  if (status === 'nothing-to-do') return `${what}${where}: ${paint.good('nothing to do')}`;
  if (status === 'dry-run') return `${what}${where}: ${paint.good('looked at')}, nothing was changed`;
  return `${what}${where}: ${paint.good('done and verified')} (run ${paint.text(runId)})`;
}

function ending({ savedBytes, seconds, power, status }: MachineRunDocument): string {
  const machine = `${formatDuration(seconds)}; the virtual machine is ${POWER[power.after] ?? power.after}`;
  if (status === 'dry-run') return machine;
  const saved = savedBytes < 0 ? `${formatSize(-savedBytes)} larger` : `${formatSize(savedBytes)} smaller`;
  const disks = savedBytes === 0 ? 'the disks keep their sizes' : `the disks are ${saved}`;
  return `${disks}, ${machine}`;
}

/** The forecast for the question. */
export function renderForecast(forecast: MachineForecast, options: RenderOptions): string {
  const paint = painter(options);
  const { machine, power, willSwitchOff, willSwitchOn } = forecast;
  const disks = forecast.disks.map(({ disk, sizes, note }) => {
    const name = paint.text(baseName(disk));
    if (sizes === null) return `  ${name}: ${note ?? ''}`;
    const size =
      sizes.before === sizes.after
        ? `${formatSize(sizes.before)}, which it keeps`
        : `${formatSize(sizes.before)} ${paint.arrow} ${formatSize(sizes.after)}`;
    return `  ${name}: ${willSwitchOff ? 'about ' : ''}${size}`;
  });
  const start = willSwitchOn ? 'is started again' : 'stays off';
  const plan = willSwitchOff
    ? `it is shut down, its disks are changed, and it ${start}`
    : `its disks are changed, and it ${start}`;
  const lines = [
    `${paint.strong('run')} ${paint.text(machine)} (${POWER[power] ?? power}): ${plan}`,
    ...disks,
  ];
  return `${lines.flatMap((line) => wrapText(line, options.width, '      ')).join('\n')}\n`;
}
