import { formatPercent, formatSize } from '../core/size.js';
import { cleanText } from '../core/text.js';
import { toJsonLine } from '../report/json.js';
import { printTalk } from './terminal.js';

export const PROGRESS_KINDS = ['auto', 'bar', 'plain', 'json', 'none'] as const;
export type ProgressKind = (typeof PROGRESS_KINDS)[number];

/** What is told while something takes its time. Byte counts are there while data moves. */
export interface ProgressEvent {
  readonly why: string;
  readonly phase?: number;
  readonly phases?: number;
  readonly bytesCopied?: number;
  readonly bytesToCopy?: number;
  readonly disks?: number;
}

/** Shows progress on stderr; `end` clears what must not stay. */
export interface Progress {
  update(event: ProgressEvent): void;
  end(): void;
}

const SILENT: Progress = { update: () => undefined, end: () => undefined };
/** Plain lines and JSON lines come at most this often. */
const LINE_INTERVAL_MS = 1000;

/** `auto`: a bar on a terminal, nothing elsewhere. */
export async function startProgress(kind: ProgressKind, quiet: boolean): Promise<Progress> {
  // A terminal that does not know its width (0 columns) cannot be drawn on: ora would clear lines for ever.
  const canDraw = process.stderr.isTTY === true && process.stderr.columns > 0;
  const automatic = canDraw && !quiet ? 'bar' : 'none';
  const wanted = kind === 'auto' ? automatic : kind;
  const shown = wanted === 'bar' && process.stderr.isTTY === true && !canDraw ? 'plain' : wanted;
  if (shown === 'bar') return spinner();
  if (shown === 'none') return SILENT;
  return lines(
    shown === 'json'
      ? (event) => toJsonLine({ event: 'progress', seconds: uptime(), ...event })
      : (event) => `${describe(event)}\n`,
  );
}

/** Seconds since the process began: tells a pipeline where the time goes. */
const uptime = (): number => Math.round(process.uptime() * 1000) / 1000;

function lines(format: (event: ProgressEvent) => string): Progress {
  let last = { why: '', at: 0 };
  return {
    update: (event) => {
      const now = Date.now();
      if (event.why === last.why && now - last.at < LINE_INTERVAL_MS && event.phase !== event.phases) return;
      last = { why: event.why, at: now };
      printTalk(format(event));
    },
    end: () => undefined,
  };
}

/** ora is loaded only here: it takes longer to load than a scan of one disk. */
async function spinner(): Promise<Progress> {
  const { default: ora } = await import('ora');
  // Signals are ours: the spinner must not swallow Ctrl-C.
  const spin = ora({ stream: process.stderr, discardStdin: false }).start();
  return {
    update: (event) => {
      spin.text = describe(event);
    },
    end: () => {
      spin.stop();
    },
  };
}

/** `why` may be a path, so it is cleaned. */
function describe(event: ProgressEvent): string {
  const { disks, bytesCopied, bytesToCopy } = event;
  const why = cleanText(event.why);
  if (disks !== undefined) return `${disks} ${disks === 1 ? 'disk' : 'disks'}: ${why}`;
  if (bytesCopied === undefined || bytesToCopy === undefined || bytesToCopy === 0) return why;
  return `${why}: ${formatSize(bytesCopied)} of ${formatSize(bytesToCopy)} (${formatPercent(bytesCopied, bytesToCopy)})`;
}
