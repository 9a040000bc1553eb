import { shellQuote } from '../core/text.js';
import { printTalk } from './terminal.js';

/** Exit codes of a process that a signal ended: 128 and its number. */
const SIGNAL_EXIT = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type StopSignal = keyof typeof SIGNAL_EXIT;
/** The command that goes on with what was stopped. */
type NextCommand = 'resume' | 'run';

/** Exit code of a run that a second signal cut short: its journal tells how to go on. */
const EXIT_RESUMABLE = 9;

/** What a signal is answered with while a run is in flight. */
export const stopNotice = (name: StopSignal, target: string, next: NextCommand = 'resume'): string =>
  `${name}: stopping at the next checkpoint; then: vmreclaim ${next} ${shellQuote(target)}`;

/** Listens for signals: the first one asks for a stop, a second one ends the process at once. */
export class Signals {
  private controller = new AbortController();
  private received: StopSignal | undefined;
  private inFlight: { readonly target: string; readonly next: NextCommand } | undefined;

  constructor() {
    for (const name of Object.keys(SIGNAL_EXIT) as StopSignal[]) {
      process.on(name, () => this.receive(name));
    }
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** A signal that was a normal end is forgotten: the next one counts as the first, of a new `signal`. */
  renew(): void {
    this.controller = new AbortController();
    this.received = undefined;
  }

  /** From now on a stop leaves a run that must be resumed, or of a machine that must be gone on with. */
  setInFlight(target: string, next: NextCommand = 'resume'): void {
    this.inFlight = { target, next };
  }

  /** 130 or 143 when a signal stopped something that was not in flight; undefined otherwise. */
  exitCode(): number | undefined {
    return this.received === undefined || this.inFlight !== undefined
      ? undefined
      : SIGNAL_EXIT[this.received];
  }

  private receive(name: StopSignal): void {
    if (this.received !== undefined)
      process.exit(this.inFlight === undefined ? SIGNAL_EXIT[name] : EXIT_RESUMABLE);
    this.received = name;
    if (this.inFlight !== undefined) {
      printTalk(`\n${stopNotice(name, this.inFlight.target, this.inFlight.next)}\n`);
    }
    this.controller.abort(new Error(`stopped by ${name}`));
  }
}
