import type { RunServices, RunStep, StepName } from './types.js';

/** How a step came out. */
export interface StepEnd<T> {
  readonly value: T;
  readonly message: string;
  /** There was nothing to do. */
  readonly skipped?: boolean;
}

/** The steps of a run in the order they were taken: each is told as it ends, also when it fails. */
export class Steps {
  private readonly ended: RunStep[] = [];

  constructor(private readonly services: RunServices) {}

  get taken(): readonly RunStep[] {
    return this.ended;
  }

  /** Takes a step, unless the user asked to stop. */
  async take<T>(step: StepName, disk: string | null, work: () => Promise<StepEnd<T>>): Promise<T> {
    this.services.signal.throwIfAborted();
    return this.mustTake(step, disk, work);
  }

  /** The same for what has to follow on what was done, asked to stop or not. */
  async mustTake<T>(step: StepName, disk: string | null, work: () => Promise<StepEnd<T>>): Promise<T> {
    const began = this.services.now();
    const end = (status: RunStep['status'], message: string): void => {
      const seconds = Math.round(this.services.now() - began) / 1000;
      const taken: RunStep = { step, disk, status, message, seconds };
      this.ended.push(taken);
      this.services.onStep(taken);
    };
    this.services.onProgress({ why: disk === null ? step : `${step} ${disk}` });
    try {
      const { value, message, skipped } = await work();
      end(skipped === true ? 'skipped' : 'done', message);
      return value;
    } catch (error) {
      end('failed', error instanceof Error ? error.message : String(error));
      throw error;
    }
  }
}
