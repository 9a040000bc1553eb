/** How to reach remote disks; what the command line knows and a backend must not look up by itself. */
export interface RemoteOptions {
  /** A private key to try first. */
  readonly identity?: string;
  /** Adds keys of unknown hosts to known_hosts; never replaces one. */
  readonly acceptNewHostKey?: boolean;
  /** An ssh_config file instead of the user's. */
  readonly sshConfig?: string;
  /** Socket of the agent. Never shown. */
  readonly agent?: string;
  /** Folder for journals of remote runs and the name of this client. */
  readonly stateFolder: string;
  /** Goes on with a server that cannot make writes durable. */
  readonly allowUnsafeFlush?: boolean;
  /** `off`: every byte goes over the wire. */
  readonly helper?: 'auto' | 'off';
  /** How long a lost connection is tried again, in seconds. */
  readonly linkSeconds?: number;
  /** Asks the person at the terminal; undefined when there is none. Rejects when there is no terminal. */
  readonly ask?: (question: string, hidden: boolean) => Promise<string>;
}
