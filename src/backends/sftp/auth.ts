import { readFile } from 'node:fs/promises';
import type { AnyAuthMethod } from 'ssh2';
import { refused, usageError, type VmreclaimError } from '../../core/errors.js';
import type { RemoteOptions } from './options.js';
import type { HostConfig } from './ssh-config.js';

const PASSWORD_ATTEMPTS = 3;
const PASSPHRASE_ATTEMPTS = 3;
const AGENT_MS = 5000;
/** A key file is a few KiB. */
const MAX_KEY_BYTES = 64 * 1024;

type Ask = NonNullable<RemoteOptions['ask']>;

/** What the library wants to hear; its types forget that `false` ends the attempt. */
type NextMethod = (method: AnyAuthMethod | false) => void;

/** The parts of ssh2 that are needed here. */
export interface KeyTools {
  /** Makes sense of a private key. */
  parseKey(data: Buffer, passphrase?: string): Error | object;
  createAgent(socket: string): { getIdentities(done: (error?: Error | null) => void): void };
}

/**
 * The ways to log in, in the order of OpenSSH: the key given, the agent, keys of ssh_config, then questions. Secrets
 * live in these calls alone and are in no message.
 */
export class Authentication {
  /** What stopped it: no terminal to ask on, a key that cannot be used. */
  refusal: VmreclaimError | undefined;
  private readonly methods: AsyncGenerator<AnyAuthMethod | undefined>;
  private allowed: readonly string[] | null = null;

  constructor(
    private readonly config: HostConfig,
    private readonly options: RemoteOptions,
    private readonly tools: KeyTools,
  ) {
    this.methods = this.all();
  }

  /** The library asks for the next way; `false` ends the attempt. */
  readonly handler = (left: string[] | null, _partial: boolean | null, next: NextMethod): void => {
    this.allowed = left;
    this.nextMethod().then(
      (method) => next(method ?? false),
      (error: VmreclaimError) => {
        this.refusal = error;
        next(false);
      },
    );
  };

  private async nextMethod(): Promise<AnyAuthMethod | undefined> {
    for (;;) {
      const { value, done } = await this.methods.next();
      if (done === true) return undefined;
      if (value !== undefined) return value;
    }
  }

  private may(method: string): boolean {
    return this.allowed === null || this.allowed.includes(method);
  }

  private async *all(): AsyncGenerator<AnyAuthMethod | undefined> {
    const { user: username, identityFiles, identitiesOnly } = this.config;
    const { identity } = this.options;
    // Tells which methods the server takes.
    yield { type: 'none', username };
    const agent = await this.agentSocket();
    // The agent may have it unlocked: then nobody has to be asked.
    const isForAgent = identity !== undefined && agent !== undefined && (await this.isLocked(identity));
    if (identity !== undefined && !isForAgent && this.may('publickey'))
      yield await this.keyFrom(identity, true);
    if (agent !== undefined && (isForAgent || !identitiesOnly) && this.may('publickey'))
      yield { type: 'agent', username, agent };
    if (isForAgent && this.may('publickey')) yield await this.keyFrom(identity, true);
    for (const path of identityFiles) {
      if (path !== identity && this.may('publickey')) yield await this.keyFrom(path, false);
    }
    yield* this.questions(username);
  }

  private async *questions(username: string): AsyncGenerator<AnyAuthMethod> {
    const { ask } = this.options;
    const canAsk = this.may('keyboard-interactive') || this.may('password');
    if (ask === undefined || !canAsk) return;
    if (this.may('keyboard-interactive')) {
      for (let tries = 0; tries < PASSWORD_ATTEMPTS; tries++) yield this.interactive(username, ask);
    }
    for (let tries = 0; tries < PASSWORD_ATTEMPTS && this.may('password'); tries++) {
      const password = await ask(`Password of ${username}@${this.config.hostName}: `, true);
      yield { type: 'password', username, password };
    }
  }

  private interactive(username: string, ask: Ask): AnyAuthMethod {
    return {
      type: 'keyboard-interactive',
      username,
      prompt: (_name, _instructions, _language, prompts, finish) => {
        const answers: string[] = [];
        const askAll = async (): Promise<void> => {
          for (const { prompt, echo = false } of prompts) answers.push(await ask(prompt, !echo));
          finish(answers);
        };
        askAll().catch((error: VmreclaimError) => {
          this.refusal = error;
          finish([]);
        });
      },
    };
  }

  /** Undefined without an agent that answers: the library would wait for it, or give up all other ways. */
  private async agentSocket(): Promise<string | undefined> {
    const { identityAgent } = this.config;
    if (identityAgent === 'none') return undefined;
    const isDefault = identityAgent === null || identityAgent === 'SSH_AUTH_SOCK';
    const path = isDefault ? this.options.agent : identityAgent;
    return path !== undefined && (await this.answers(path)) ? path : undefined;
  }

  private answers(agent: string): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), AGENT_MS);
      this.tools.createAgent(agent).getIdentities((error) => {
        clearTimeout(timer);
        resolve(error === undefined || error === null);
      });
    });
  }

  private async isLocked(path: string): Promise<boolean> {
    const key = await readKey(path);
    return key !== undefined && this.tools.parseKey(key) instanceof Error;
  }

  /** A key file as a way to log in; one that is not there is no way, unless the user named it. */
  private async keyFrom(path: string, isNamed: boolean): Promise<AnyAuthMethod | undefined> {
    const { user: username } = this.config;
    const key = await readKey(path);
    if (key === undefined) {
      if (!isNamed) return undefined;
      throw usageError('identity', `the key file cannot be read: ${path}`);
    }
    if (!(this.tools.parseKey(key) instanceof Error)) return { type: 'publickey', username, key };
    const passphrase = await this.passphraseOf(path, key);
    if (passphrase !== undefined) return { type: 'publickey', username, key, passphrase };
    if (!isNamed) return undefined;
    throw refused(
      'identity',
      `the key in ${path} cannot be used: no OpenSSH or PEM key, or a wrong passphrase`,
    );
  }

  private async passphraseOf(path: string, key: Buffer): Promise<string | undefined> {
    const { ask } = this.options;
    if (ask === undefined || !/ENCRYPTED|OPENSSH PRIVATE KEY/.test(key.toString('latin1'))) return undefined;
    for (let tries = 0; tries < PASSPHRASE_ATTEMPTS; tries++) {
      const passphrase = await ask(`Passphrase of ${path}: `, true);
      if (!(this.tools.parseKey(key, passphrase) instanceof Error)) return passphrase;
    }
    return undefined;
  }
}

async function readKey(path: string): Promise<Buffer | undefined> {
  try {
    const key = await readFile(path);
    return key.length > MAX_KEY_BYTES ? undefined : key;
  } catch {
    return undefined;
  }
}
