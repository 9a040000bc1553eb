/** What a renderer may know about the place its text goes to. Nothing else: renderers are pure. */
export interface RenderOptions {
  /** With ANSI colours. Every mark that colour makes is there without it too. */
  readonly color: boolean;
  /** Columns. No line is longer. */
  readonly width: number;
  /** False: ASCII only, for consoles that know nothing else. */
  readonly unicode: boolean;
}

/** What every renderer of a command's result returns: text that ends in a newline, and the process's exit code. */
export interface Rendered {
  readonly text: string;
  readonly exitCode: number;
}

/** A step of a run, as it ended. */
export interface StepDocument {
  readonly step: string;
  /** Null: the machine as a whole. */
  readonly disk: string | null;
  readonly status: 'done' | 'skipped' | 'failed';
  readonly message: string;
  readonly seconds: number;
}
