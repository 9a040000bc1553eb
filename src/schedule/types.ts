/** When a job runs, in the local time of the host. */
export interface JobTime {
  /** `HH:MM`. */
  readonly hour: number;
  readonly minute: number;
  /** On these days of the week, 0 is Sunday; empty: on all. */
  readonly weekdays: readonly number[];
  /** On this day of the month; null: on all. */
  readonly day: number | null;
}

/** A command line that the host runs by itself. */
export interface Job {
  readonly name: string;
  /** As it was written: `sun 02:30`. */
  readonly at: string;
  /** The command and its arguments, without the program. */
  readonly command: readonly string[];
  /** Relative paths of the command are looked for here. */
  readonly folder: string;
}

/** Where and with what the host starts the program. */
export interface Starter {
  /** Absolute path of node. */
  readonly node: string;
  /** Absolute path of bin/vmreclaim.js. */
  readonly program: string;
  /** Variables that the job needs: the place of the history. */
  readonly environment: Readonly<Record<string, string>>;
}
