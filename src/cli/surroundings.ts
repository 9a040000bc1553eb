import type { FailureParts } from '../report/error.js';
import type { Signals } from './signals.js';

/** What the command line gives to every command. */
export interface Surroundings {
  readonly version: string;
  readonly signals: Signals;
  setExitCode(code: number): void;
  /** What the JSON of a failure holds besides the error: what was done until then. */
  tellOfFailure(parts: FailureParts): void;
}
