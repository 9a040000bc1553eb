import type { Signals } from './signals.js';

/** What the command line gives to every command. */
export interface Surroundings {
  readonly version: string;
  readonly signals: Signals;
  setExitCode(code: number): void;
}
