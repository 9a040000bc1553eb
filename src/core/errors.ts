/**
 * Errors of the program. A family says who must act (and so decides the exit code), a code is a stable
 * word for scripts, the message names the structure in a sentence, the hint says what to do.
 */
export type ErrorFamily =
  | 'usage'
  | 'unsupported'
  | 'refused'
  | 'damaged'
  | 'device'
  | 'conflict'
  | 'verify'
  | 'interrupted'
  | 'internal';

/** Where and what, for errors that can be located. Offsets are bytes of the structure's own device. */
export interface ErrorDetail {
  readonly hint?: string;
  readonly path?: string;
  readonly offset?: number;
  readonly expected?: string | number;
  readonly actual?: string | number;
  readonly cause?: unknown;
}

/** A reason why something is refused or noteworthy: the same shape in scan, plan and error output. */
export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** The remedy of a reason as the detail of an error. */
export const hintOf = ({ hint }: Reason): Pick<ErrorDetail, 'hint'> => (hint === undefined ? {} : { hint });

export class VmreclaimError extends Error {
  override readonly name = 'VmreclaimError';

  constructor(
    readonly family: ErrorFamily,
    readonly code: string,
    message: string,
    readonly detail: ErrorDetail = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
  }

  /** The error as a reason of a refusal, for lists that hold several. */
  toReason(): Reason {
    const { hint } = this.detail;
    return { code: this.code, message: this.message, ...(hint === undefined ? {} : { hint }) };
  }
}

type Thrower = (code: string, message: string, detail?: ErrorDetail) => VmreclaimError;

const family =
  (name: ErrorFamily): Thrower =>
  (code, message, detail) =>
    new VmreclaimError(name, code, message, detail);

/** The caller asked for something that makes no sense. Exit code 2. */
export const usageError = family('usage');
/** Understood, but not something this program does. Exit code 4. */
export const unsupported = family('unsupported');
/** Possible, but not safe in the state found. Exit code 4. */
export const refused = family('refused');
/** A reason as the error it is when nothing can be done about it. */
export const refusal = (reason: Reason, detail: ErrorDetail = {}): VmreclaimError =>
  refused(reason.code, reason.message, { ...detail, ...hintOf(reason) });
/** A structure on the disk contradicts its format. Exit code 5. */
export const damaged = family('damaged');
/** The store failed to read, write, flush or list. Exit code 6. */
export const deviceError = family('device');
/** Somebody else uses the disk, or it is not what the plan or the run knew. Exit code 7. */
export const conflict = family('conflict');
/** The result is not what was promised. Exit code 8. */
export const verifyError = family('verify');
/** Stopped on purpose at a checkpoint. Exit code 9 when a run is in flight. */
export const interrupted = family('interrupted');
/** A law of the program was broken: a bug. Exit code 1. */
export const internalError = family('internal');

/** True for errors of the given family. */
export function isFamily(error: unknown, name: ErrorFamily): error is VmreclaimError {
  return error instanceof VmreclaimError && error.family === name;
}
